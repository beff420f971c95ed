import { Text } from "@mantine/core";
import type { FullScan as Scan } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import { useFormat } from "../language/format.ts";

/** How long a file may wait that somebody put into the store, and what there is never taken. */
export function FullScan({ scan: { objects, ignored, seconds, finishedAt } }: { scan: Scan }) {
  const { t } = useTranslation();
  const { number, duration, ago } = useFormat();
  return (
    <Text size="sm" c="dimmed">
      {t("send.scan", {
        count: objects,
        number: number(objects),
        duration: duration(seconds * 1000),
        ago: ago(finishedAt),
      })}
      {ignored > 0 && ` ${t("send.ignored", { count: ignored, number: number(ignored) })}`}
    </Text>
  );
}
