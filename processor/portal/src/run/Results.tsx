import { Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import type { Run } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import { tablePath } from "../api/queries.ts";
import { Download } from "../download/Download.tsx";
import { Icon } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import { href } from "../route/route.ts";
import classes from "./Results.module.css";

/** What the run made: tables and files, and the way to them. */
export function Results({ run }: { run: Run }) {
  const { t } = useTranslation();
  const { number, bytes } = useFormat();
  return (
    <Paper component="section" withBorder p="lg" aria-labelledby="results">
      <Stack gap="sm">
        <Title order={2} size="h4" id="results">
          {t("run.results")}
        </Title>
        <ul className={classes.results}>
          {run.outputs.map(({ kind, name, location, rows, bytes: size, how }) => (
            <li key={`${kind} ${location}`} className={classes.result}>
              <span className={classes.icon}>
                <Icon name={kind === "table" ? "table" : "file"} size={20} />
              </span>
              <div className={classes.words}>
                <Text fw={600}>
                  {name}{" "}
                  <Text component="span" size="sm" c="dimmed" fw={400}>
                    {t(kind === "table" ? "run.resultTable" : `sink.${kind}`)}
                  </Text>
                </Text>
                {kind !== "webhook" && (
                  <Text size="sm" c="dimmed">
                    {t("run.rows", { count: rows, number: number(rows) })} · {bytes(size)}
                    {how != null && ` · ${t(`how.${how.mode}`)}`}
                    {how?.why !== undefined && <span lang="en"> ({how.why})</span>}
                  </Text>
                )}
                {kind !== "table" && (
                  <Text size="xs" c="dimmed" className={classes.location ?? ""}>
                    {location}
                  </Text>
                )}
              </div>
              <Group gap="xs">
                {kind === "table" ? (
                  <Button
                    component="a"
                    size="compact-sm"
                    variant="default"
                    href={href({ view: "table", stack: run.stack, table: name, page: 1 })}
                    aria-label={`${t("run.open")}: ${name}`}
                  >
                    {t("run.open")}
                  </Button>
                ) : kind === "csv" ? (
                  <Download
                    compact
                    path={`${tablePath(run.stack, name)}.csv`}
                    name={`${run.stack}-${name}.csv`}
                    label={t("run.downloadTable")}
                  />
                ) : null}
              </Group>
            </li>
          ))}
        </ul>
      </Stack>
    </Paper>
  );
}
