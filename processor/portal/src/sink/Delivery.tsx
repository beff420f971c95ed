import { Button, Text } from "@mantine/core";
import type { DeliveryState } from "@cais/spec/api.ts";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { announce } from "../announce/announce.tsx";
import { request } from "../api/request.ts";
import { Icon, type IconName } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import classes from "./Delivery.module.css";

const looks: Record<DeliveryState, { tone: string; icon: IconName }> = {
  pending: { tone: "calm", icon: "clock" },
  delivering: { tone: "busy", icon: "send" },
  delivered: { tone: "good", icon: "check" },
  retrying: { tone: "warn", icon: "again" },
  failed: { tone: "bad", icon: "cross" },
  superseded: { tone: "calm", icon: "check" },
};

/** A delivery's state in a word, a sign and a colour. */
export function DeliveryBadge({ state }: { state: DeliveryState }) {
  const { t } = useTranslation();
  const { tone, icon } = looks[state];
  return (
    <span className={classes.badge} style={{ color: `var(--page-${tone})`, background: `var(--page-${tone}-ground)` }}>
      <Icon name={icon} size={14} />
      {t(`delivery.${state}`)}
    </span>
  );
}

/** What a delivery is known by and how it stands. */
export interface DeliveryShown {
  delivery: number | null;
  state: DeliveryState;
  attempts: number;
  retryAt: string | null;
  error: string | null;
}

/** Why a delivery is not done, until when it waits, and the button that tries it again now. */
export function DeliveryTrouble({ of, sink }: { of: DeliveryShown; sink: string }) {
  const { t } = useTranslation();
  const { exact, number } = useFormat();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const { delivery } = of;
  if (of.state !== "failed" && of.state !== "retrying") return null;

  async function retry() {
    setBusy(true);
    setError(null);
    try {
      await request(`v1/deliveries/${delivery}/retry`, undefined, "POST");
      announce(t("delivery.sayRetried", { sink }));
      for (const noun of ["sinks", "run", "lineage"]) void client.invalidateQueries({ queryKey: [noun] });
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  }

  return (
    <div className={classes.trouble}>
      {of.error !== null && (
        <Text size="sm" lang="en" className={classes.error ?? ""}>
          {of.error}
        </Text>
      )}
      <Text size="sm" c="dimmed">
        {[
          ...(of.attempts > 0 ? [t("delivery.attempts", { count: of.attempts, number: number(of.attempts) })] : []),
          ...(of.retryAt === null ? [] : [t("delivery.again", { at: exact(of.retryAt) })]),
        ].join(" · ")}
      </Text>
      {delivery !== null && (
        <Button
          size="compact-sm"
          variant="default"
          loading={busy}
          leftSection={<Icon name="again" size={16} />}
          aria-label={`${t("delivery.retry")}: ${sink}`}
          onClick={() => void retry()}
        >
          {t("delivery.retry")}
        </Button>
      )}
      {error !== null && <ProblemAlert error={error} doing={t("delivery.notRetried")} />}
    </div>
  );
}
