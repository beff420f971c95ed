import { Button, Group, NativeSelect, Skeleton, Stack, Text } from "@mantine/core";
import type { RunState } from "@cais/spec/api.ts";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { runsQuery, stacksQuery } from "../api/queries.ts";
import { Empty } from "../page/Empty.tsx";
import { Heading } from "../page/Heading.tsx";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { go, href, runStates } from "../route/route.ts";
import { RunTable } from "./RunTable.tsx";

interface RunsProps {
  stack: string | undefined;
  state: RunState | undefined;
}

/** The runs of every stack, newest first, to be filtered. */
export function Runs({ stack, state }: RunsProps) {
  const { t } = useTranslation();
  const stacks = useQuery(stacksQuery);
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    runsQuery({ stack, state }, 25),
  );
  const runs = data?.pages.flatMap((page) => page.runs);
  const filtered = stack !== undefined || state !== undefined;
  const names = stacks.data?.stacks.map(({ name }) => name) ?? [];
  if (stack !== undefined && !names.includes(stack)) names.push(stack);

  return (
    <Stack gap="lg">
      <Stack gap={4}>
        <Heading>{t("runs.title")}</Heading>
        <Text c="dimmed">{t("runs.lead")}</Text>
      </Stack>
      <Group align="flex-end">
        <NativeSelect
          label={t("runs.pipeline")}
          value={stack ?? ""}
          onChange={({ currentTarget }) => go({ view: "runs", stack: currentTarget.value || undefined, state })}
          data={[{ value: "", label: t("runs.allPipelines") }, ...names]}
        />
        <NativeSelect
          label={t("runs.state")}
          value={state ?? ""}
          onChange={({ currentTarget }) =>
            go({ view: "runs", stack, state: runStates.find((name) => name === currentTarget.value) })
          }
          data={[
            { value: "", label: t("runs.allStates") },
            ...runStates.map((name) => ({ value: name, label: t(`state.${name}`) })),
          ]}
        />
      </Group>
      {error !== null && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      {runs === undefined && error === null && <Skeleton height={240} aria-label={t("loading")} />}
      {runs?.length === 0 && !filtered && (
        <Empty icon="upload" title={t("runs.empty")} detail={t("runs.emptyDetail")}>
          <Button component="a" href={href({ view: "send" })}>
            {t("send.title")}
          </Button>
        </Empty>
      )}
      {runs?.length === 0 && filtered && (
        <Empty icon="info" title={t("runs.noneMatch")} detail={t("runs.noneMatchDetail")}>
          <Button component="a" href={href({ view: "runs" })} variant="default">
            {t("runs.clear")}
          </Button>
        </Empty>
      )}
      {runs !== undefined && runs.length > 0 && <RunTable runs={runs} label={t("runs.title")} withStack />}
      {hasNextPage && (
        <Button variant="default" onClick={() => void fetchNextPage()} loading={isFetchingNextPage} mx="auto">
          {t("runs.more")}
        </Button>
      )}
    </Stack>
  );
}
