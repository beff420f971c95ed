import { Alert, Button, CloseButton, Group, Paper, Progress, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Icon } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { go, href } from "../route/route.ts";
import { useSpokenShare } from "./spoken.ts";
import { dismiss, resend, useUploads, type FileUpload } from "./uploads.ts";

/** The files being sent to a stack, with how far each is, and what became of the last. */
export function UploadList({ stack }: { stack: string }) {
  const { t } = useTranslation();
  const uploads = useUploads(stack);
  if (uploads.length === 0) return null;
  return (
    <Stack component="section" gap="sm" aria-label={t("upload.list")}>
      {uploads.map((upload) => (
        <UploadItem key={upload.id} upload={upload} />
      ))}
    </Stack>
  );
}

function UploadItem({ upload }: { upload: FileUpload }) {
  const { t } = useTranslation();
  const { bytes, percent } = useFormat();
  const { id, file, progress } = upload;
  const { name } = file;
  const sending = progress.at === "waiting" || progress.at === "sending";
  const share = progress.at === "sending" ? progress.share : 0;
  useSpokenShare(name, share);

  const again = async (although: boolean) => {
    const result = await resend(id, although);
    if (result.at === "received") go({ view: "run", id: result.run });
  };

  return (
    <Paper withBorder p="md">
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <div style={{ minWidth: 0 }}>
          <Text fw={600} style={{ overflowWrap: "anywhere" }}>
            {name}
          </Text>
          <Text size="sm" c="dimmed">
            {bytes(file.size)}
            {" · "}
            {progress.at === "waiting" && t("upload.waiting")}
            {progress.at === "sending" &&
              (share < 1 ? t("upload.sending", { percent: percent(share) }) : t("upload.storing"))}
            {(progress.at === "received" || progress.at === "known") && t("upload.received")}
            {progress.at === "failed" && t("upload.failed")}
          </Text>
        </div>
        {sending ? (
          <Button
            variant="default"
            size="compact-sm"
            onClick={() => dismiss(id)}
            aria-label={t("upload.cancelFile", { name })}
          >
            {t("upload.cancel")}
          </Button>
        ) : (
          <CloseButton onClick={() => dismiss(id)} aria-label={t("upload.removeFile", { name })} />
        )}
      </Group>
      {sending && (
        <Progress value={share * 100} mt="sm" animated={share === 1} aria-label={t("upload.bar", { name })} />
      )}
      {progress.at === "received" && (
        <Button
          component="a"
          href={href({ view: "run", id: progress.run })}
          variant="default"
          size="compact-sm"
          mt="xs"
        >
          {t("upload.follow")}
        </Button>
      )}
      {progress.at === "known" && (
        <Alert
          mt="sm"
          role="alert"
          color="var(--page-warn)"
          bg="var(--page-warn-ground)"
          variant="outline"
          icon={<Icon name="info" />}
          title={t("upload.known")}
        >
          <Text size="sm" mb="sm">
            {t("upload.knownDetail")}
          </Text>
          <Group gap="xs">
            <Button component="a" href={href({ view: "run", id: progress.run })} size="compact-md">
              {t("upload.knownSee")}
            </Button>
            <Button variant="default" size="compact-md" onClick={() => void again(true)}>
              {t("upload.knownAgain")}
            </Button>
          </Group>
        </Alert>
      )}
      {progress.at === "failed" && (
        <Stack mt="sm">
          <ProblemAlert error={progress.error} onRetry={() => void again(false)} />
        </Stack>
      )}
    </Paper>
  );
}
