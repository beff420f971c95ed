import { Paper } from "@mantine/core";
import type { Run } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import { useFormat } from "../language/format.ts";
import classes from "./Facts.module.css";

/** What the file was found to be. */
function found({ found }: Run): string {
  if (found === null) return "–";
  const { format, encoding, delimiter } = found;
  const separated = delimiter === "\t" ? "tab" : delimiter;
  return [format, encoding, separated].filter((part) => part != null).join(", ");
}

/** What one quotes when asking somebody about a run. */
export function Facts({ run }: { run: Run }) {
  const { t } = useTranslation();
  const { exact, number } = useFormat();
  const at = (iso: string | null) => (iso === null ? "–" : exact(iso));
  const facts = [
    ["id", run.id],
    ["key", run.file.key],
    ["sha256", run.file.sha256],
    ["kind", t(`kind.${run.kind}`)],
    ["found", found(run)],
    ["by", run.by ?? "–"],
    ["attempts", number(run.attempts)],
    ["queuedAt", at(run.queuedAt)],
    ["startedAt", at(run.startedAt)],
    ["finishedAt", at(run.finishedAt)],
  ] as const;
  return (
    <Paper withBorder component="details" className={classes.facts ?? ""}>
      <summary>{t("run.facts")}</summary>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{t(`run.${name}`)}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Paper>
  );
}
