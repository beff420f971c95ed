import { Anchor, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { runsQuery } from "../api/queries.ts";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { href } from "../route/route.ts";
import { RunTable } from "./RunTable.tsx";

/** The last few runs of a stack. */
export function LatestRuns({ stack }: { stack: string }) {
  const { t } = useTranslation();
  const { data, error, refetch } = useInfiniteQuery(runsQuery({ stack }, 5));
  const runs = data?.pages[0]?.runs;
  return (
    <Stack component="section" gap="sm" mt="md" aria-labelledby="latest">
      <Group justify="space-between">
        <Title order={2} size="h4" id="latest">
          {t("send.recent")}
        </Title>
        {runs !== undefined && runs.length > 0 && (
          <Anchor href={href({ view: "runs", stack })} size="sm" underline="always">
            {t("send.allRuns")}
          </Anchor>
        )}
      </Group>
      {error !== null && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      {runs === undefined && error === null && <Skeleton height={120} />}
      {runs?.length === 0 && <Text c="dimmed">{t("send.noRuns")}</Text>}
      {runs !== undefined && runs.length > 0 && <RunTable runs={runs} label={t("send.recent")} withStack={false} />}
    </Stack>
  );
}
