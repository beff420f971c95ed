import { Anchor, Paper, Table, Text } from "@mantine/core";
import type { Run } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import { useFormat } from "../language/format.ts";
import { href } from "../route/route.ts";
import classes from "./RunTable.module.css";
import { StateBadge } from "./StateBadge.tsx";

interface RunTableProps {
  runs: Run[];
  /** What a screen reader calls the table. */
  label: string;
  /** Leave the stack out where all have the same. */
  withStack: boolean;
}

/** What a run is beside a load, and what of its file is open. */
function Notes({ run: { kind, open } }: { run: Run }) {
  const { t } = useTranslation();
  const { number } = useFormat();
  const notes = [
    kind === "load" ? null : t(`kind.${kind}`),
    open === null
      ? null
      : open.scope === "file"
        ? t("runs.openFile")
        : t("runs.openRows", { count: open.rows, number: number(open.rows) }),
  ].filter((note) => note !== null);
  return (
    notes.length > 0 && (
      <Text size="xs" c="dimmed">
        {notes.join(" · ")}
      </Text>
    )
  );
}

/** Runs as rows; on a phone as cards. */
export function RunTable({ runs, label, withStack }: RunTableProps) {
  const { t } = useTranslation();
  const { ago, exact, number, duration } = useFormat();
  return (
    <Paper withBorder className={classes.frame ?? ""}>
      <Table className={classes.table ?? ""} verticalSpacing="sm" horizontalSpacing="md" aria-label={label}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t("runs.file")}</Table.Th>
            {withStack && <Table.Th>{t("runs.pipeline")}</Table.Th>}
            <Table.Th>{t("runs.state")}</Table.Th>
            <Table.Th className={classes.number ?? ""}>{t("run.read")}</Table.Th>
            <Table.Th className={classes.number ?? ""}>{t("run.clean")}</Table.Th>
            <Table.Th className={classes.number ?? ""}>{t("run.rejected")}</Table.Th>
            <Table.Th>{t("runs.when")}</Table.Th>
            <Table.Th className={classes.number ?? ""}>{t("runs.took")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {runs.map((run) => (
            <Table.Tr key={run.id}>
              <Table.Td className={classes.file ?? ""}>
                <Anchor href={href({ view: "run", id: run.id })} fw={600} size="sm">
                  {run.file.name}
                </Anchor>
                <Notes run={run} />
              </Table.Td>
              {withStack && <Table.Td className={classes.stack ?? ""}>{run.stack}</Table.Td>}
              <Table.Td className={classes.state ?? ""}>
                <StateBadge state={run.state} />
              </Table.Td>
              <Table.Td className={classes.number ?? ""} data-label={t("run.read")}>
                {number(run.rows.read)}
              </Table.Td>
              <Table.Td className={classes.number ?? ""} data-label={t("run.clean")}>
                {number(run.rows.clean)}
              </Table.Td>
              <Table.Td className={classes.number ?? ""} data-label={t("run.rejected")}>
                {number(run.rows.rejected)}
              </Table.Td>
              <Table.Td className={classes.when ?? ""}>
                <time dateTime={run.queuedAt} title={exact(run.queuedAt)}>
                  {ago(run.queuedAt)}
                </time>
              </Table.Td>
              <Table.Td className={`${classes.number} ${classes.took}`}>
                {run.startedAt !== null && run.finishedAt !== null
                  ? duration(Date.parse(run.finishedAt) - Date.parse(run.startedAt))
                  : "–"}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}
