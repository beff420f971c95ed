import { Anchor, Button, Paper, SimpleGrid, Skeleton, Stack, Text, Title } from "@mantine/core";
import type { Table } from "@cais/spec/api.ts";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { sinksQuery, tablesQuery } from "../api/queries.ts";
import { useFormat } from "../language/format.ts";
import { Empty } from "../page/Empty.tsx";
import { Heading } from "../page/Heading.tsx";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { href } from "../route/route.ts";
import { Sinks } from "../sink/Sinks.tsx";
import { Layer } from "./Layer.tsx";
import classes from "./Tables.module.css";

const order: Table["layer"][] = ["gold", "silver", "bronze"];

function TableCard({ table }: { table: Table }) {
  const { t } = useTranslation();
  const { number, bytes, ago, exact } = useFormat();
  const { stack, name, layer, rows, updatedAt } = table;
  return (
    <Paper withBorder p="lg" component="li" className={classes.card ?? ""}>
      <Layer layer={layer} />
      <Anchor
        href={href({ view: "table", stack, table: name, page: 1 })}
        fw={650}
        size="lg"
        className={classes.link ?? ""}
      >
        {name}
      </Anchor>
      <Text size="sm" c="dimmed">
        {t(`tables.${layer}Hint`)}
      </Text>
      <Text size="sm">
        {updatedAt === null
          ? t("tables.notYet")
          : `${t("run.rows", { count: rows, number: number(rows) })} · ${bytes(table.bytes)}`}
      </Text>
      {updatedAt !== null && (
        <Text component="time" size="sm" c="dimmed" dateTime={updatedAt} title={exact(updatedAt)}>
          {t("tables.updated", { when: ago(updatedAt) })}
        </Text>
      )}
    </Paper>
  );
}

/** The tables of every stack: summaries first, as most people want those. */
export function Tables() {
  const { t } = useTranslation();
  const { data, error, refetch } = useQuery(tablesQuery);
  const sinks = useQuery(sinksQuery);
  const stacks = Map.groupBy(data?.tables ?? [], ({ stack }) => stack);
  return (
    <Stack gap="lg">
      <Stack gap={4}>
        <Heading>{t("tables.title")}</Heading>
        <Text c="dimmed">{t("tables.lead")}</Text>
      </Stack>
      {error !== null && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      {sinks.error !== null && error === null && (
        <ProblemAlert error={sinks.error} onRetry={() => void sinks.refetch()} />
      )}
      {data === undefined && error === null && <Skeleton height={200} aria-label={t("loading")} />}
      {data?.tables.length === 0 && (
        <Empty icon="table" title={t("tables.empty")} detail={t("tables.emptyDetail")}>
          <Button component="a" href={href({ view: "send" })}>
            {t("send.title")}
          </Button>
        </Empty>
      )}
      {[...stacks].map(([stack, tables]) => (
        <Stack component="section" key={stack} gap="sm" aria-labelledby={`tables-${stack}`}>
          <Title order={2} size="h4" id={`tables-${stack}`}>
            {stack}
          </Title>
          <SimpleGrid component="ul" cols={{ base: 1, sm: 2 }} spacing="md" className={classes.list ?? ""}>
            {tables
              .toSorted((a, b) => order.indexOf(a.layer) - order.indexOf(b.layer))
              .map((table) => (
                <TableCard key={table.name} table={table} />
              ))}
          </SimpleGrid>
          {sinks.data !== undefined && (
            <Sinks stack={stack} sinks={sinks.data.sinks.filter((sink) => sink.stack === stack)} />
          )}
        </Stack>
      ))}
    </Stack>
  );
}
