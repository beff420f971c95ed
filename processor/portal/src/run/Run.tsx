import { Alert, Anchor, Button, SimpleGrid, Skeleton, Stack, Text } from "@mantine/core";
import type { Run as RunAnswer } from "@cais/spec/api.ts";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { announce } from "../announce/announce.tsx";
import { runQuery } from "../api/queries.ts";
import { Icon } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import { Back } from "../page/Back.tsx";
import { Heading } from "../page/Heading.tsx";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { Lineage } from "../lineage/Lineage.tsx";
import { href } from "../route/route.ts";
import { Deliveries } from "../sink/Deliveries.tsx";
import { Counts } from "./Counts.tsx";
import { isPublished } from "./published.ts";
import { Facts } from "./Facts.tsx";
import { History } from "./History.tsx";
import { Open } from "./Open.tsx";
import { Rejected } from "./Rejected.tsx";
import { Results } from "./Results.tsx";
import { StateBadge } from "./StateBadge.tsx";
import { Steps } from "./Steps.tsx";

/** Says each new state, with the counts at the end. */
function useSpokenState(run: RunAnswer | undefined) {
  const { t } = useTranslation();
  const { number } = useFormat();
  const client = useQueryClient();
  const before = useRef<RunAnswer["state"]>(undefined);
  useEffect(() => {
    if (run === undefined || run.state === before.current) return;
    const first = before.current === undefined;
    before.current = run.state;
    if (first && run.finishedAt !== null) return;
    const state = t("run.sayState", { name: run.file.name, state: t(`state.${run.state}`) });
    const { read, clean, rejected } = run.rows;
    const rows = t("run.sayRows", { read: number(read), clean: number(clean), rejected: number(rejected) });
    announce(run.finishedAt === null ? state : `${state} ${rows}`);
    // The run has changed what the other views show.
    if (run.finishedAt !== null)
      for (const noun of ["run", "runs", "tables", "rows", "versions", "sinks"])
        void client.invalidateQueries({ queryKey: [noun] });
  }, [run, t, number, client]);
}

function Summary({ run }: { run: RunAnswer }) {
  const { t } = useTranslation();
  const { bytes, ago, exact, duration } = useFormat();
  return (
    <Text c="dimmed">
      {run.root !== null && (
        <>
          <Anchor href={href({ view: "run", id: run.root })} underline="always">
            {t(run.kind === "replay" ? "run.replayOf" : "run.rerunOf")}
          </Anchor>
          {" · "}
        </>
      )}
      {bytes(run.file.bytes)} {t("run.sentTo")}{" "}
      <Anchor href={href({ view: "send", stack: run.stack })} underline="always">
        {run.stack}
      </Anchor>
      {" · "}
      <time dateTime={run.queuedAt} title={exact(run.queuedAt)}>
        {t(run.kind === "load" ? "run.sent" : "run.asked", { when: ago(run.queuedAt) })}
      </time>
      {run.startedAt !== null && run.finishedAt !== null && (
        <>
          {" · "}
          {t("run.took", { duration: duration(Date.parse(run.finishedAt) - Date.parse(run.startedAt)) })}
        </>
      )}
    </Text>
  );
}

function Failure({ run }: { run: RunAnswer }) {
  const { t } = useTranslation();
  if (run.state !== "failed" && run.state !== "quarantined") return null;
  const tone = run.state === "failed" ? "bad" : "warn";
  const published = isPublished(run);
  const load = run.kind === "load";
  // What failed once may have gone through since.
  const loadedLater = load && !published && run.open === null;
  const title = published
    ? "run.undelivered"
    : load
      ? (`run.${run.state}` as const)
      : (`run.${run.state}Again` as const);
  return (
    <Alert
      role="alert"
      color={`var(--page-${tone})`}
      bg={`var(--page-${tone}-ground)`}
      variant="outline"
      icon={<Icon name="alert" />}
      title={t(title)}
    >
      <Stack gap="xs" align="flex-start">
        <Text style={{ overflowWrap: "anywhere" }} lang="en">
          {run.error}
        </Text>
        {!published && (
          <Text size="sm">
            {t(loadedLater ? "run.loadedLater" : load ? "run.nothingLoaded" : "run.nothingChanged")}
          </Text>
        )}
        {load && !loadedLater && (
          <Button
            component="a"
            variant="default"
            size="compact-md"
            maw="100%"
            h="auto"
            href={href({ view: "send", stack: run.stack })}
            styles={{ label: { whiteSpace: "normal" } }}
          >
            {t(published ? "run.resend" : "run.another")}
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

/** An attempt broke off, and the run waits for the next one. */
function Retry({ run, at }: { run: RunAnswer; at: string }) {
  const { t } = useTranslation();
  const { number, exact } = useFormat();
  return (
    <Alert
      color="var(--page-warn)"
      bg="var(--page-warn-ground)"
      variant="outline"
      icon={<Icon name="clock" />}
      title={
        run.attempts === 0
          ? t("run.waits", { at: exact(at) })
          : t("run.retry", { attempt: number(run.attempts), at: exact(at) })
      }
    >
      {run.error !== null && (
        <Text style={{ overflowWrap: "anywhere" }} lang="en">
          {run.error}
        </Text>
      )}
    </Alert>
  );
}

/** One run: its state, counts, steps, results and rejected rows. Follows it while it moves. */
export function Run({ id }: { id: string }) {
  const { t } = useTranslation();
  const { data: run, error, refetch } = useQuery(runQuery(id));
  useSpokenState(run);
  return (
    <Stack gap="lg">
      <Stack gap={4}>
        <Back to={{ view: "runs" }}>{t("run.back")}</Back>
        <Heading aside={run !== undefined && <StateBadge state={run.state} />}>
          {run?.file.name ?? t("run.title")}
        </Heading>
        {run !== undefined && <Summary run={run} />}
      </Stack>
      {error !== null && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      {run === undefined && error === null && <Skeleton height={320} aria-label={t("loading")} />}
      {run !== undefined && (
        <>
          <Failure run={run} />
          {run.retryAt !== null && <Retry run={run} at={run.retryAt} />}
          {(run.rows.read > 0 || run.error === null) && <Counts run={run} />}
          <SimpleGrid cols={{ base: 1, md: run.outputs.length > 0 ? 2 : 1 }} spacing="lg">
            <Steps run={run} />
            {run.outputs.length > 0 && <Results run={run} />}
          </SimpleGrid>
          <Lineage run={run} />
          <Deliveries run={run} />
          {run.finishedAt !== null && run.open !== null && <Open run={run} open={run.open} />}
          {run.finishedAt !== null && <Rejected run={run} />}
          <History run={run} />
          <Facts run={run} />
        </>
      )}
    </Stack>
  );
}
