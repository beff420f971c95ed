import { Button, FileButton, Group, Paper, Progress, Stack, Text, Title } from "@mantine/core";
import type { Run } from "@cais/spec/api.ts";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { announce } from "../announce/announce.tsx";
import { postForRun } from "../api/request.ts";
import { Download } from "../download/Download.tsx";
import { Icon } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import { Confirm } from "../page/Confirm.tsx";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { go } from "../route/route.ts";
import { sendCorrection } from "../upload/send.ts";
import { useSpokenShare } from "../upload/spoken.ts";
import { runPath } from "./path.ts";

/** A replay on its way: asked for, or with the corrected rows being sent. */
interface Asking {
  abort: AbortController;
  /** The corrected rows; null for those that are open as they are. */
  file: File | null;
  share: number;
}

/** What of the run's file is in no table yet, and the ways to bring it there. */
export function Open({ run, open }: { run: Run; open: NonNullable<Run["open"]> }) {
  const { t } = useTranslation();
  const { number, percent } = useFormat();
  const [asking, setAsking] = useState<Asking | null>(null);
  const [confirming, setConfirming] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const here = useRef(true);
  useEffect(() => {
    here.current = true;
    return () => void (here.current = false);
  }, []);
  useSpokenShare(asking?.file?.name ?? "", asking?.share ?? 0);
  // Rows are there to be edited where the file could be read as rows.
  const editable = open.scope === "rows" || run.rows.rejected > 0;
  const lead = open.scope === "rows" ? "open.leadRows" : editable ? "open.leadFile" : "open.leadUnreadable";

  async function replay(file: File | null) {
    const abort = new AbortController();
    setConfirming(false);
    setError(null);
    setAsking({ abort, file, share: 0 });
    const onProgress = (sent: number, total: number) => setAsking({ abort, file, share: sent / total });
    try {
      const { id } =
        file === null
          ? await postForRun(`${runPath(run.id)}/replays`)
          : await sendCorrection(run.id, file, { onProgress, signal: abort.signal });
      announce(t("open.sayQueued", { name: run.file.name }));
      // Who has gone elsewhere in the meantime is left there.
      if (here.current) go({ view: "run", id });
    } catch (failure) {
      if (!abort.signal.aborted) setError(failure);
    }
    setAsking(null);
  }

  return (
    <Paper component="section" withBorder p="lg" aria-labelledby="open">
      <Stack gap="md">
        <div>
          <Title order={2} size="h4" id="open">
            {open.scope === "rows"
              ? t("open.titleRows", { count: open.rows, number: number(open.rows) })
              : t("open.titleFile")}
          </Title>
          <Text c="dimmed" size="sm" maw={720}>
            {t(lead)}
          </Text>
        </div>
        {asking?.file == null ? (
          <Group gap="sm">
            {editable && (
              <>
                <Download
                  path={`${runPath(run.id)}/rejected?format=editable`}
                  name={`${run.file.name.replace(/\.[^.]*$/, "")} open rows.csv`}
                  label={t("open.download")}
                />
                <FileButton accept=".csv,text/csv" onChange={(file) => file !== null && void replay(file)}>
                  {(props) => (
                    <Button {...props} leftSection={<Icon name="upload" />}>
                      {t("open.send")}
                    </Button>
                  )}
                </FileButton>
              </>
            )}
            <Button
              variant="default"
              leftSection={<Icon name="again" />}
              loading={asking !== null}
              onClick={() => setConfirming(true)}
            >
              {t(open.scope === "rows" ? "open.replay" : "open.replayFile")}
            </Button>
          </Group>
        ) : (
          <Stack gap="xs">
            <Group justify="space-between" wrap="nowrap" align="flex-start">
              <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                {asking.file.name}
                {" · "}
                {asking.share < 1 ? t("upload.sending", { percent: percent(asking.share) }) : t("upload.storing")}
              </Text>
              <Button
                variant="default"
                size="compact-sm"
                onClick={() => asking.abort.abort()}
                aria-label={t("upload.cancelFile", { name: asking.file.name })}
              >
                {t("upload.cancel")}
              </Button>
            </Group>
            <Progress
              value={asking.share * 100}
              animated={asking.share === 1}
              aria-label={t("upload.bar", { name: asking.file.name })}
            />
          </Stack>
        )}
        {error !== null && <ProblemAlert error={error} doing={t("open.failed")} />}
      </Stack>
      {confirming && (
        <Confirm
          title={t("open.confirm")}
          detail={t("open.confirmDetail", { stack: run.stack })}
          action={t(open.scope === "rows" ? "open.replay" : "open.replayFile")}
          onConfirm={() => void replay(null)}
          onCancel={() => setConfirming(false)}
        />
      )}
    </Paper>
  );
}
