import type { RunState } from "@cais/spec/api.ts";
import { Loader } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Icon, type IconName } from "../icon/Icon.tsx";
import classes from "./StateBadge.module.css";

const looks: Record<RunState, { tone: string; icon: IconName | null }> = {
  queued: { tone: "calm", icon: "clock" },
  running: { tone: "busy", icon: null },
  done: { tone: "good", icon: "check" },
  failed: { tone: "bad", icon: "cross" },
  quarantined: { tone: "warn", icon: "alert" },
};

/** A run's state in a word, a sign and a colour. */
export function StateBadge({ state }: { state: RunState }) {
  const { t } = useTranslation();
  const { tone, icon } = looks[state];
  return (
    <span className={classes.badge} style={{ color: `var(--page-${tone})`, background: `var(--page-${tone}-ground)` }}>
      {icon === null ? <Loader size={13} color="currentColor" aria-hidden /> : <Icon name={icon} size={14} />}
      {t(`state.${state}`)}
    </span>
  );
}
