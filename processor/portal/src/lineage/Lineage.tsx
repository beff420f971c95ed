import { Anchor, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import type { Run } from "@cais/spec/api.ts";
import type { Lineage as LineageAnswer, LineageNode } from "@cais/spec/lineage.ts";
import { useQuery } from "@tanstack/react-query";
import { type CSSProperties, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { lineageQuery } from "../api/queries.ts";
import { Icon, type IconName } from "../icon/Icon.tsx";
import { useFormat } from "../language/format.ts";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { href } from "../route/route.ts";
import { layOut, type Layout } from "./layout.ts";
import classes from "./Lineage.module.css";

const sizes = { width: 1036, box: { min: 158, max: 236, height: 86 }, gap: { x: 44, y: 14 } };

const icons: Record<LineageNode["kind"], IconName> = { file: "file", table: "table", sink: "send" };

/** What the run made of what: a picture where there is room, and the same as a list where there is none. */
export function Lineage({ run }: { run: Run }) {
  const { t } = useTranslation();
  const { data, error, refetch } = useQuery(lineageQuery(run));
  return (
    <Paper component="section" withBorder p="lg" aria-labelledby="lineage">
      <Stack gap="sm">
        <Title order={2} size="h4" id="lineage">
          {t("lineage.title")}
        </Title>
        {error !== null && <ProblemAlert error={error} onRetry={() => void refetch()} />}
        {data === undefined && error === null && <Skeleton height={120} aria-label={t("loading")} />}
        {data !== undefined && <Picture lineage={data} />}
      </Stack>
    </Paper>
  );
}

const px = (size: number | undefined) => `${size ?? 0}px`;

function Picture({ lineage }: { lineage: LineageAnswer }) {
  const { t } = useTranslation();
  const { nodes, edges } = lineage;
  const layout = useMemo(
    () => layOut({ nodes: nodes.map(({ id, kind }) => ({ id, last: kind === "sink" })), edges }, sizes),
    [nodes, edges],
  );
  const stateOf = (id: string) => nodes.find((node) => node.id === id)?.state;
  const size = { "--width": px(layout.width), "--height": px(layout.height) } as CSSProperties;
  return (
    <div className={classes.scroll} role="group" tabIndex={0} aria-label={t("lineage.title")}>
      <div className={classes.picture} style={size}>
        <svg className={classes.curves} width={layout.width} height={layout.height} aria-hidden="true">
          {edges.map(({ from, to }, index) => (
            <path key={`${from} ${to}`} d={layout.curves[index]} data-state={stateOf(to)} />
          ))}
        </svg>
        <ul className={classes.nodes}>
          {nodes.map((node) => (
            <Node key={node.id} node={node} lineage={lineage} layout={layout} />
          ))}
        </ul>
      </div>
    </div>
  );
}

interface NodeProps {
  node: LineageNode;
  lineage: LineageAnswer;
  layout: Layout;
}

function Node({ node, lineage: { stack, nodes, edges }, layout }: NodeProps) {
  const { t } = useTranslation();
  const { number, bytes } = useFormat();
  const { id, kind, name, layer, sink, state, rows, how, version, location, delivery } = node;
  const box = layout.boxes.get(id);
  const place = {
    "--x": px(box?.x),
    "--y": px(box?.y),
    "--w": px(box?.width),
    "--h": px(box?.height),
  } as CSSProperties;
  const from = edges.filter(({ to }) => to === id).map((edge) => nodes.find((one) => one.id === edge.from)?.name ?? "");
  const what = layer !== null ? t(`lineage.${layer}`) : sink !== null ? t(`sink.${sink}`) : t("lineage.file");
  const facts = [
    ...(state === "done" ? [] : [t(`lineage.${state}`)]),
    ...(rows === null || state === "none" ? [] : [t("run.rows", { count: rows, number: number(rows) })]),
  ];
  const more = [
    name,
    ...(node.bytes === null ? [] : [bytes(node.bytes)]),
    ...(version === null ? [] : [t("tables.version", { version: number(version) })]),
    ...(how === null ? [] : [t(`how.${how.mode}`)]),
    ...(delivery?.error == null || state === "done" ? [] : [delivery.error]),
    ...(location === null ? [] : [location]),
  ];
  return (
    <li className={classes.node} style={place} data-kind={kind} data-state={state} title={more.join("\n")}>
      <span className={classes.name}>
        <Icon name={icons[kind]} size={16} />
        {kind === "table" ? (
          <Anchor
            href={href({ view: "table", stack, table: name, page: 1 })}
            c="inherit"
            inherit
            className={classes.text ?? ""}
          >
            {name}
          </Anchor>
        ) : (
          <span className={classes.text}>{name}</span>
        )}
      </span>
      <Text component="span" size="xs" c="dimmed" className={classes.line ?? ""}>
        {what}
        {from.length > 0 && <span className={classes.from}>, {t("lineage.from", { names: from.join(", ") })}</span>}
      </Text>
      <Text component="span" size="xs" className={`${classes.line} ${classes.facts}`}>
        {facts.join(" · ")}
      </Text>
    </li>
  );
}
