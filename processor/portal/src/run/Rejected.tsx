import { Alert, Group, NativeSelect, Paper, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import type { RejectedRow, Run } from "@cais/spec/api.ts";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { rejectedLimit, rejectedQuery } from "../api/queries.ts";
import { Download } from "../download/Download.tsx";
import { Icon } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import { Pages } from "../page/Pages.tsx";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { countReasons } from "./reasons.ts";
import classes from "./Rejected.module.css";

const pageSize = 25;

/** The rows that were not taken, each with where it is in the file and why. */
export function Rejected({ run }: { run: Run }) {
  const { t } = useTranslation();
  const { number } = useFormat();
  const some = run.rows.rejected > 0;
  const { data, error, refetch } = useQuery({ ...rejectedQuery(run.id), enabled: some });
  if (!some)
    return run.state === "done" ? (
      <Alert color="var(--page-good)" bg="var(--page-good-ground)" variant="outline" icon={<Icon name="check" />}>
        {t("rejected.none")}
      </Alert>
    ) : null;
  return (
    <Paper component="section" withBorder p="lg" aria-labelledby="rejected">
      <Stack gap="md">
        <Group justify="space-between" align="flex-start">
          <div>
            <Title order={2} size="h4" id="rejected">
              {t("rejected.title")}
            </Title>
            <Text c="dimmed" size="sm" maw={640}>
              {t("rejected.lead")}
            </Text>
          </div>
          <Download
            path={`v1/runs/${encodeURIComponent(run.id)}/rejected?format=csv`}
            name={`${run.id}-rejected.csv`}
            label={t("rejected.download")}
          />
        </Group>
        {error !== null && <ProblemAlert error={error} onRetry={() => void refetch()} />}
        {data === undefined && error === null && <Skeleton height={200} aria-label={t("loading")} />}
        {data?.more === true && (
          <Alert color="var(--page-warn)" bg="var(--page-warn-ground)" variant="outline" icon={<Icon name="info" />}>
            {t("rejected.more", { limit: number(rejectedLimit) })}
          </Alert>
        )}
        {data?.rows.length === 0 && <Text>{t("rejected.notKept")}</Text>}
        {data !== undefined && data.rows.length > 0 && <RejectedRows rows={data.rows} />}
      </Stack>
    </Paper>
  );
}

function RejectedRows({ rows }: { rows: RejectedRow[] }) {
  const { t } = useTranslation();
  const { number } = useFormat();
  const [reason, setReason] = useState("");
  const [page, setPage] = useState(1);
  const reasons = countReasons(rows);
  const matching = reason === "" ? rows : rows.filter((row) => row.reason === reason);
  const inMembers = rows.some(({ member }) => member !== null);
  const shown = matching.slice((page - 1) * pageSize, page * pageSize);
  const option = (text: string, count: number) => `${text} (${number(count)})`;
  return (
    <>
      <NativeSelect
        label={t("rejected.filter")}
        value={reason}
        onChange={({ currentTarget }) => {
          setReason(currentTarget.value);
          setPage(1);
        }}
        data={[
          { value: "", label: option(t("rejected.all"), rows.length) },
          ...reasons.map(({ reason, count }) => ({ value: reason, label: option(reason, count) })),
        ]}
        maw={640}
      />
      <div className={classes.scroll} role="region" tabIndex={0} aria-label={t("rejected.list")}>
        <Table verticalSpacing={7} aria-label={t("rejected.list")}>
          <Table.Thead>
            <Table.Tr>
              {inMembers && <Table.Th>{t("rejected.member")}</Table.Th>}
              <Table.Th className={classes.number ?? ""}>{t("rejected.row")}</Table.Th>
              <Table.Th>{t("rejected.column")}</Table.Th>
              <Table.Th>{t("rejected.reason")}</Table.Th>
              <Table.Th>{t("rejected.value")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((row, index) => (
              <Table.Tr key={`${row.member} ${row.row} ${row.column} ${index}`}>
                {inMembers && <Table.Td className={classes.column ?? ""}>{row.member}</Table.Td>}
                <Table.Td className={classes.number ?? ""}>{number(row.row)}</Table.Td>
                <Table.Td className={classes.column ?? ""}>
                  {row.column ?? (
                    <Text span size="sm" c="dimmed" ff="text">
                      {t("rejected.wholeRow")}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td className={classes.reason ?? ""}>{row.reason}</Table.Td>
                <Table.Td className={classes.value ?? ""}>
                  <Found row={row} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      <Pages page={page} size={pageSize} total={matching.length} onPage={setPage} label={t("rejected.pages")} />
    </>
  );
}

/** The cell that was refused, or the row if it is refused as a whole. */
function Found({ row: { column, value, text } }: { row: RejectedRow }) {
  const { t } = useTranslation();
  const found = column === null ? text : value;
  if (found !== null && found !== "") return <code>{found}</code>;
  return (
    <Text span size="sm" c="dimmed">
      {column === null ? "–" : t("rejected.emptyCell")}
    </Text>
  );
}
