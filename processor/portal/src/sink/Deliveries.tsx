import { Paper, Stack, Text, Title } from "@mantine/core";
import type { Run } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import { Icon } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import { DeliveryBadge, DeliveryTrouble } from "./Delivery.tsx";
import classes from "./Sinks.module.css";

/** What a run's sinks deliver beside it. Nothing for a run without such. */
export function Deliveries({ run }: { run: Run }) {
  const { t } = useTranslation();
  const { number, ago, exact } = useFormat();
  if (run.deliveries.length === 0) return null;
  return (
    <Paper component="section" withBorder p="lg" aria-labelledby="deliveries">
      <Stack gap="sm">
        <Title order={2} size="h4" id="deliveries">
          {t("delivery.title")}
        </Title>
        <ul className={classes.sinks}>
          {run.deliveries.map(({ id, kind, name, rows, deliveredAt, addedAt, ...state }) => (
            <li key={id} className={classes.sink}>
              <span className={classes.icon}>
                <Icon name="send" size={20} />
              </span>
              <div className={classes.words}>
                <Text fw={600}>
                  {name}{" "}
                  <Text component="span" size="sm" c="dimmed" fw={400}>
                    {t(`sink.${kind}`)}
                  </Text>
                </Text>
                <Text size="sm" c="dimmed">
                  <time dateTime={deliveredAt ?? addedAt} title={exact(deliveredAt ?? addedAt)}>
                    {ago(deliveredAt ?? addedAt)}
                  </time>
                  {rows > 0 && ` · ${t("run.rows", { count: rows, number: number(rows) })}`}
                </Text>
              </div>
              <DeliveryBadge state={state.state} />
              <DeliveryTrouble
                of={{ ...state, delivery: id }}
                sink={t("sink.called", { kind: t(`sink.${kind}`), name })}
              />
            </li>
          ))}
        </ul>
      </Stack>
    </Paper>
  );
}
