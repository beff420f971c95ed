import { Paper, SimpleGrid, Stack, Text } from "@mantine/core";
import type { Run } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import { useFormat } from "../language/format.ts";
import classes from "./Counts.module.css";

/** How many rows were read, and how they divide into clean and rejected. */
export function Counts({ run: { rows, kind, finishedAt } }: { run: Run }) {
  const { t } = useTranslation();
  const { number, percent } = useFormat();
  // The rows are counted all at once: until then there is nothing to say.
  const counted = rows.read > 0 || finishedAt !== null;
  const share = (part: number) => (rows.read === 0 ? 0 : part / rows.read);
  const tiles = [
    {
      name: "read",
      tone: "busy",
      value: rows.read,
      hint: t(kind === "replay" ? "run.readHintReplay" : "run.readHint"),
    },
    { name: "clean", tone: "good", value: rows.clean, hint: t("run.ofRead", { percent: percent(share(rows.clean)) }) },
    {
      name: "rejected",
      tone: rows.rejected > 0 ? "warn" : "calm",
      value: rows.rejected,
      hint: t("run.ofRead", { percent: percent(share(rows.rejected)) }),
    },
  ] as const;
  return (
    <Stack gap="sm">
      <SimpleGrid cols={3} spacing={{ base: 8, sm: "md" }} component="dl" m={0}>
        {tiles.map(({ name, tone, value, hint }) => (
          <Paper key={name} withBorder className={classes.tile ?? ""} style={{ "--tone": `var(--page-${tone})` }}>
            <Text component="dt" size="sm" fw={600} c="dimmed">
              {t(`run.${name}`)}
            </Text>
            <dd className={classes.value}>
              <span data-count={name}>{counted ? number(value) : "–"}</span>
              {counted && <span className={classes.hint}>{hint}</span>}
            </dd>
          </Paper>
        ))}
      </SimpleGrid>
      {rows.read > 0 && (
        <div
          className={classes.bar}
          role="img"
          aria-label={t("run.share", { clean: percent(share(rows.clean)), rejected: percent(share(rows.rejected)) })}
        >
          <span style={{ flexGrow: rows.clean, background: "var(--page-good-fill)" }} />
          <span style={{ flexGrow: rows.rejected, background: "var(--page-warn-fill)" }} />
        </div>
      )}
    </Stack>
  );
}
