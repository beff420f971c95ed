import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { Dropzone, type FileRejection } from "@mantine/dropzone";
import type { StackSummary } from "@cais/spec/api.ts";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { announce } from "../announce/announce.tsx";
import { Icon } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import { go } from "../route/route.ts";
import classes from "./Dropper.module.css";
import { sendFiles } from "./uploads.ts";

/** What people call a format. */
const formatNames: Record<string, string> = { parquet: "Parquet", excel: "Excel" };

type Rejection = { file: File; because: "kind" | "size" | "empty" };

/** Takes files for a stack, dropped or chosen, and sends those that the stack can take. */
export function Dropper({ stack }: { stack: StackSummary }) {
  const { t } = useTranslation();
  const { bytes } = useFormat();
  const open = useRef<() => void>(null);
  const here = useRef(true);
  const [rejections, setRejections] = useState<Rejection[]>([]);
  const formats = stack.formats.map((format) => formatNames[format] ?? format.toUpperCase()).join(", ");
  // By the ending alone: systems have no one media type for any of them.
  const accept = { "application/octet-stream": stack.endings };
  const saveAsCsv = stack.formats.includes("csv") && !stack.formats.includes("excel");

  useEffect(() => {
    here.current = true;
    return () => void (here.current = false);
  }, []);

  const judge = (files: File[], refused: FileRejection[]) => {
    const empty = files.filter(({ size }) => size === 0);
    setRejections([
      ...empty.map((file): Rejection => ({ file, because: "empty" })),
      ...refused.map(({ file, errors }): Rejection => {
        const large = errors.some(({ code }) => code === "file-too-large");
        return { file, because: large ? "size" : "kind" };
      }),
    ]);
  };

  const take = async (files: File[]) => {
    if (files.length === 0) return;
    const results = await sendFiles(stack, files);
    files.forEach(({ name }, index) => {
      const at = results[index]?.at;
      if (at === "received") announce(t("upload.sayReceived", { name }));
      if (at === "failed") announce(t("upload.sayFailed", { name }));
    });
    const [only] = results;
    // Who has gone elsewhere in the meantime is left there.
    if (results.length === 1 && only?.at === "received" && here.current) go({ view: "run", id: only.run });
  };

  const why = ({ file, because }: Rejection) => {
    if (because === "empty") return t("upload.empty");
    if (because === "kind")
      return `${t("upload.wrongKindDetail", { formats })}${saveAsCsv ? ` ${t("upload.saveAsCsv")}` : ""}`;
    return t("upload.tooLarge", { size: bytes(file.size), limit: bytes(stack.maxBytes) });
  };

  return (
    <Stack gap="sm">
      <Dropzone
        className={classes.zone ?? ""}
        accept={accept}
        maxSize={stack.maxBytes}
        openRef={open}
        // The button inside is the control for the keyboard.
        activateOnKeyboard={false}
        activateOnClick={false}
        tabIndex={-1}
        enablePointerEvents
        onDropAny={judge}
        onDrop={(files) => void take(files.filter(({ size }) => size > 0))}
        // The button opens it; a second control of the same kind would only confuse.
        inputProps={{ "aria-hidden": true }}
      >
        <Stack align="center" gap="xs" py="lg">
          <span className={classes.icon}>
            <Icon name="upload" size={30} />
          </span>
          <Text fw={600} size="xl" className={classes.drag ?? ""}>
            <Dropzone.Accept>{t("send.dropNow")}</Dropzone.Accept>
            <Dropzone.Idle>{t("send.drop")}</Dropzone.Idle>
            <Dropzone.Reject>{t("send.accepts", { formats, size: bytes(stack.maxBytes) })}</Dropzone.Reject>
          </Text>
          <Group gap="sm">
            <Text c="dimmed" className={classes.drag ?? ""}>
              {t("send.or")}
            </Text>
            <Button onClick={() => open.current?.()} leftSection={<Icon name="file" />}>
              {t("send.button")}
            </Button>
          </Group>
          <Text size="sm" c="dimmed">
            {t("send.accepts", { formats, size: bytes(stack.maxBytes) })}
          </Text>
        </Stack>
      </Dropzone>
      {rejections.map((rejection) => (
        <Alert
          key={rejection.file.name}
          role="alert"
          color="var(--page-bad)"
          bg="var(--page-bad-ground)"
          variant="outline"
          icon={<Icon name="alert" />}
          title={t("upload.wrongKind", { name: rejection.file.name })}
        >
          {why(rejection)}
        </Alert>
      ))}
    </Stack>
  );
}
