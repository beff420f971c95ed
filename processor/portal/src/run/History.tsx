import { Anchor, Button, Group, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import type { Run } from "@cais/spec/api.ts";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { announce } from "../announce/announce.tsx";
import { fileRunsQuery } from "../api/queries.ts";
import { postForRun } from "../api/request.ts";
import { Download } from "../download/Download.tsx";
import { Icon } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import { Confirm } from "../page/Confirm.tsx";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { go, href } from "../route/route.ts";
import classes from "./History.module.css";
import { runPath } from "./path.ts";
import { StateBadge } from "./StateBadge.tsx";

/** The run's file: all that was done with it, newest first, and what else can be. */
export function History({ run }: { run: Run }) {
  const { t } = useTranslation();
  const { data, error, refetch } = useQuery(fileRunsQuery(run.root ?? run.id));
  return (
    <Paper component="section" withBorder p="lg" aria-labelledby="history">
      <Stack gap="sm">
        <Group justify="space-between" align="flex-start">
          <Title order={2} size="h4" id="history">
            {t("history.title")}
          </Title>
          <Group gap="sm">
            <Download path={`${runPath(run.id)}/file`} name={run.file.name} label={t("history.download")} />
            {/* What was never loaded is replayed. */}
            {run.finishedAt !== null && run.open?.scope !== "file" && <Rerun run={run} />}
          </Group>
        </Group>
        {error !== null && <ProblemAlert error={error} onRetry={() => void refetch()} />}
        {data === undefined && error === null && <Skeleton height={60} aria-label={t("loading")} />}
        {data !== undefined && (
          <ol className={classes.history}>
            {data.runs.map((each) => (
              <Entry key={each.id} run={each} shown={each.id === run.id} />
            ))}
          </ol>
        )}
        {data?.next != null && <Text size="sm">{t("history.more")}</Text>}
      </Stack>
    </Paper>
  );
}

function Entry({ run, shown }: { run: Run; shown: boolean }) {
  const { t } = useTranslation();
  const { ago, exact, number } = useFormat();
  const { clean, rejected, read } = run.rows;
  return (
    <li className={classes.entry} aria-current={shown ? "true" : undefined}>
      <div className={classes.words}>
        {shown ? (
          <Text component="span" fw={600}>
            {t(`kind.${run.kind}`)} ({t("history.shown")})
          </Text>
        ) : (
          <Anchor href={href({ view: "run", id: run.id })} fw={600} underline="always">
            {t(`kind.${run.kind}`)}
          </Anchor>
        )}
        <Text size="sm" c="dimmed">
          <time dateTime={run.queuedAt} title={exact(run.queuedAt)}>
            {ago(run.queuedAt)}
          </time>
          {read > 0 && ` · ${t("history.rows", { clean: number(clean), rejected: number(rejected) })}`}
          {/* Whoever asks on this machine without a token is nobody in particular. */}
          {run.by !== null && run.by !== "local" && ` · ${t("history.by", { by: run.by })}`}
        </Text>
      </div>
      <StateBadge state={run.state} />
    </li>
  );
}

function Rerun({ run }: { run: Run }) {
  const { t } = useTranslation();
  const [confirming, setConfirming] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function rerun() {
    setConfirming(false);
    setBusy(true);
    setError(null);
    try {
      const { id } = await postForRun(`${runPath(run.id)}/reruns`);
      announce(t("history.sayQueued", { name: run.file.name }));
      go({ view: "run", id });
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  }

  return (
    <>
      <Button variant="default" leftSection={<Icon name="again" />} loading={busy} onClick={() => setConfirming(true)}>
        {t("history.rerun")}
      </Button>
      {error !== null && <ProblemAlert error={error} doing={t("history.failed")} />}
      {confirming && (
        <Confirm
          title={t("history.confirm")}
          detail={t("history.confirmDetail", { stack: run.stack })}
          action={t("history.rerun")}
          onConfirm={() => void rerun()}
          onCancel={() => setConfirming(false)}
        />
      )}
    </>
  );
}
