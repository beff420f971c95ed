import { Loader, Paper, Stack, Text, Title } from "@mantine/core";
import type { Run, Step } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import { Icon } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import classes from "./Steps.module.css";
import { stepName } from "./step-name.ts";

function StepItem({ step, state }: { step: Step; state: Run["state"] }) {
  const { t } = useTranslation();
  const { duration, exact } = useFormat();
  const open = step.finishedAt === null;
  const now = open && state === "running";
  const stopped = open && (state === "failed" || state === "quarantined");
  const tone = now ? "busy" : stopped ? "bad" : "good";
  return (
    <li className={classes.step} aria-current={now ? "step" : undefined}>
      <span className={classes.sign} style={{ color: `var(--page-${tone})`, background: `var(--page-${tone}-ground)` }}>
        {now ? (
          <Loader size={14} color="currentColor" aria-hidden />
        ) : (
          <Icon name={stopped ? "cross" : "check"} size={15} />
        )}
      </span>
      <span className={classes.name}>{stepName(step.name, t)}</span>
      <Text component="span" size="sm" c="dimmed" className={classes.time ?? ""} title={exact(step.startedAt)}>
        {step.finishedAt !== null && duration(Date.parse(step.finishedAt) - Date.parse(step.startedAt))}
        {now && t("run.stepNow")}
        {stopped && t("run.stepStopped")}
      </Text>
    </li>
  );
}

/** What was done with the file so far, in order, and how long each took. */
export function Steps({ run }: { run: Run }) {
  const { t } = useTranslation();
  return (
    <Paper component="section" withBorder p="lg" aria-labelledby="steps">
      <Stack gap="sm">
        <Title order={2} size="h4" id="steps">
          {t("run.steps")}
        </Title>
        {run.steps.length === 0 && run.finishedAt === null && (
          <Text c="dimmed">{t(run.state === "queued" ? "run.stepsNone" : "run.stepsSoon")}</Text>
        )}
        <ol className={classes.steps}>
          {run.steps.map((step) => (
            <StepItem key={`${step.name} ${step.startedAt}`} step={step} state={run.state} />
          ))}
        </ol>
      </Stack>
    </Paper>
  );
}
