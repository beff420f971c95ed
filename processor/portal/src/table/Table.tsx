import { Button, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { rowsQuery, tablePath } from "../api/queries.ts";
import { Download } from "../download/Download.tsx";
import { useFormat } from "../language/format.ts";
import { Back } from "../page/Back.tsx";
import { Empty } from "../page/Empty.tsx";
import { Heading } from "../page/Heading.tsx";
import { Pages } from "../page/Pages.tsx";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { go, href } from "../route/route.ts";
import { ChartPanel } from "./ChartPanel.tsx";
import { Layer } from "./Layer.tsx";
import { Rows } from "./Rows.tsx";
import { Schema } from "./Schema.tsx";
import { Versions } from "./Versions.tsx";

const pageSize = 50;

interface TableProps {
  stack: string;
  table: string;
  page: number;
}

/** One table: its chart, if it is a summary, and its rows. */
export function Table({ stack, table, page }: TableProps) {
  const { t } = useTranslation();
  const { number, bytes, ago, exact } = useFormat();
  const { data, error, refetch } = useQuery(rowsQuery(stack, table, pageSize, (page - 1) * pageSize));

  return (
    <Stack gap="lg">
      <Group justify="space-between" align="flex-end">
        <Stack gap={4}>
          <Back to={{ view: "tables" }}>{t("tables.back")}</Back>
          <Heading aside={data !== undefined && <Layer layer={data.layer} />}>{table}</Heading>
          <Text c="dimmed">
            {stack}
            {data !== undefined && data.updatedAt !== null && (
              <>
                {" · "}
                {t("run.rows", { count: data.rows, number: number(data.rows) })}
                {" · "}
                {bytes(data.bytes)}
                {" · "}
                <time dateTime={data.updatedAt} title={exact(data.updatedAt)}>
                  {t("tables.updated", { when: ago(data.updatedAt) })}
                </time>
              </>
            )}
          </Text>
        </Stack>
        {data !== undefined && data.rows > 0 && (
          <Download
            path={`${tablePath(stack, table)}.csv`}
            name={`${stack}-${table}.csv`}
            label={t("tables.download")}
          />
        )}
      </Group>
      {error !== null && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      {data === undefined && error === null && <Skeleton height={360} aria-label={t("loading")} />}
      {data?.rows === 0 && (
        <Empty icon="table" title={t("tables.noRows")} detail={t("tables.noRowsDetail", { stack })}>
          <Button component="a" href={href({ view: "send", stack })}>
            {t("send.title")}
          </Button>
        </Empty>
      )}
      {data?.layer === "gold" && data.rows > 0 && <ChartPanel stack={stack} table={table} version={data.updatedAt} />}
      {data !== undefined && data.columns.length > 0 && (
        <>
          <Schema columns={data.columns} />
          <Versions stack={stack} table={table} />
        </>
      )}
      {data !== undefined && data.rows > 0 && (
        <Stack component="section" gap="sm" aria-labelledby="rows">
          <Title order={2} size="h4" id="rows">
            {t("tables.rows")}
          </Title>
          <Rows rows={data} />
          <Pages
            page={page}
            size={pageSize}
            total={data.rows}
            onPage={(page) => go({ view: "table", stack, table, page })}
            label={t("tables.pages")}
          />
        </Stack>
      )}
    </Stack>
  );
}
