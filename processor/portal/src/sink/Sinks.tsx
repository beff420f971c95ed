import { Anchor, Paper, Stack, Text, Title } from "@mantine/core";
import type { SinkStatus } from "@cais/spec/sink-status.ts";
import { useTranslation } from "react-i18next";
import { Icon } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import { href } from "../route/route.ts";
import { DeliveryBadge, DeliveryTrouble } from "./Delivery.tsx";
import classes from "./Sinks.module.css";

/** The sinks of a stack, each with what it delivered last. Nothing for a stack without sinks. */
export function Sinks({ stack, sinks }: { stack: string; sinks: SinkStatus[] }) {
  const { t } = useTranslation();
  if (sinks.length === 0) return null;
  return (
    <Paper component="section" withBorder p="lg" aria-label={`${t("sink.title")}: ${stack}`}>
      <Stack gap="sm">
        <Title order={3} size="h5">
          {t("sink.title")}
        </Title>
        <ul className={classes.sinks}>
          {sinks.map((sink) => (
            <Item key={sink.id} sink={sink} />
          ))}
        </ul>
      </Stack>
    </Paper>
  );
}

function Item({ sink: { kind, name, last, waiting, canDouble } }: { sink: SinkStatus }) {
  const { t } = useTranslation();
  const { number, bytes, ago, exact } = useFormat();
  const called = t("sink.called", { kind: t(`sink.${kind}`), name });
  return (
    <li className={classes.sink}>
      <span className={classes.icon}>
        <Icon name="send" size={20} />
      </span>
      <div className={classes.words}>
        <Text fw={600} title={canDouble ?? undefined}>
          {name}{" "}
          <Text component="span" size="sm" c="dimmed" fw={400}>
            {t(`sink.${kind}`)}
          </Text>
        </Text>
        {last === null ? (
          <Text size="sm" c="dimmed">
            {t("sink.none")}
          </Text>
        ) : (
          <Text size="sm" c="dimmed">
            <Anchor href={href({ view: "run", id: last.run })} underline="always" inherit>
              <time dateTime={last.at} title={exact(last.at)}>
                {ago(last.at)}
              </time>
            </Anchor>
            {last.rows > 0 && ` · ${t("run.rows", { count: last.rows, number: number(last.rows) })}`}
            {last.bytes > 0 && ` · ${bytes(last.bytes)}`}
            {waiting > 1 && ` · ${t("sink.waiting", { count: waiting, number: number(waiting) })}`}
          </Text>
        )}
        {last?.location != null && (
          <Text size="xs" c="dimmed" className={classes.location ?? ""}>
            {last.location}
          </Text>
        )}
      </div>
      {last !== null && <DeliveryBadge state={last.state} />}
      {last !== null && <DeliveryTrouble of={last} sink={called} />}
    </li>
  );
}
