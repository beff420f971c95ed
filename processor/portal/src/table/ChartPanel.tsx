import { Group, NativeSelect, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { chartQuery } from "../api/queries.ts";
import { useFormat } from "../language/format.ts";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { barsOf, chooseChart, yearsOf } from "./chart.ts";
import { Legend } from "./Legend.tsx";

// The drawing library is as large as the rest of the page: only who sees a chart loads it.
const Chart = lazy(() => import("./Chart.tsx"));

const maxBars = 400;

interface ChartPanelProps {
  stack: string;
  table: string;
  /** When the table changed last. */
  version: string | null;
}

/** A chart of a table with the choice of what it shows. Nothing where no chart fits the table. */
export function ChartPanel({ stack, table, version }: ChartPanelProps) {
  const { t } = useTranslation();
  const { number } = useFormat();
  const { data, error, refetch } = useQuery(chartQuery(stack, table, version));
  const [measure, setMeasure] = useState<string | null>(null);
  const [chosenYear, setYear] = useState<string | null>(null);

  const choice = useMemo(() => (data === undefined ? null : chooseChart(data.columns, data.data)), [data]);
  const years = useMemo(
    () => (data === undefined || choice === null ? [] : yearsOf(choice, data.data)),
    [data, choice],
  );
  // More bars than pixels cannot be told apart: begin with the last year.
  const year = chosenYear ?? ((data?.data.length ?? 0) > maxBars ? years[0] : undefined) ?? "";
  const shown = measure ?? choice?.measures[0] ?? "";
  const series = useMemo(() => {
    if (data === undefined || choice === null) return [];
    return barsOf(
      choice,
      shown,
      data.data.filter((row) => String(row[choice.x] ?? "").startsWith(year)),
    );
  }, [data, choice, shown, year]);

  if (error !== null) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <Skeleton height={420} aria-label={t("chart.loading")} />;
  if (choice === null) return null;

  return (
    <Paper component="section" withBorder p="lg" aria-labelledby="chart">
      <Stack gap="sm">
        <Group justify="space-between" align="flex-end">
          <Title order={2} size="h4" id="chart">
            {t("chart.by", { measure: shown, x: choice.x })}
          </Title>
          <Group gap="sm">
            {choice.measures.length > 1 && (
              <NativeSelect
                size="xs"
                label={t("chart.measure")}
                data={choice.measures}
                value={shown}
                onChange={({ currentTarget }) => setMeasure(currentTarget.value)}
              />
            )}
            {years.length > 1 && (
              <NativeSelect
                size="xs"
                label={t("chart.period")}
                data={[{ value: "", label: t("chart.all") }, ...years]}
                value={year}
                onChange={({ currentTarget }) => setYear(currentTarget.value)}
              />
            )}
          </Group>
        </Group>
        <Suspense fallback={<Skeleton height={320} aria-label={t("chart.loading")} />}>
          <Chart series={series} measure={shown} x={choice.x} time={choice.time} />
        </Suspense>
        {choice.colour !== null && <Legend column={choice.colour} series={series} />}
        {data.rows > data.data.length && (
          <Text size="sm" c="dimmed">
            {t("chart.part", { limit: number(data.data.length), total: number(data.rows) })}
          </Text>
        )}
      </Stack>
    </Paper>
  );
}
