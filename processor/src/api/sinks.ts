import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import type { Delivery, Run } from "@cais/spec/api.ts";
import { Sinks, type SinkStatus } from "@cais/spec/sink-status.ts";
import { sees } from "../access/index.ts";
import { deliveredIn } from "../runs/lineage.ts";
import type { OpenStack } from "../runs/stack.ts";
import type { Processor } from "./index.ts";

/** Runs of a stack in which a delivery that was made in the run itself is looked for. */
const LOOKED_AT = 50;

/** `GET /v1/sinks`: the sinks of all stacks, each with what it delivered last. */
export const sinks: FastifyPluginAsyncZod<Processor> = async (app, { stacks, ledger }) => {
  app.get(
    "/sinks",
    {
      config: { action: "read" },
      schema: {
        summary: "The sinks of all stacks, and what each delivered last",
        description: `What was delivered in a run itself is looked for in the stack's last ${LOOKED_AT} runs.`,
        response: { 200: Sinks },
      },
    },
    async ({ caller }) => {
      const depths = await ledger.deliveries.depth();
      const seen = [...stacks.values()].filter(({ config }) => sees(caller, config.stack.name));
      const statuses = await Promise.all(seen.map((stack) => statusesOf(stack, depths)));
      return { sinks: statuses.flat() };
    },
  );

  async function statusesOf(stack: OpenStack, depths: { stack: string; sink: string; waiting: number }[]) {
    const { name } = stack.config.stack;
    if (stack.sinks.length === 0) return [];
    const runs = await ledger.runs({ stack: name, state: "done", limit: LOOKED_AT });
    return Promise.all(
      stack.sinks.map(async ({ id, kind, name: sink, canDouble }, nth): Promise<SinkStatus> => {
        const [delivery] = await ledger.deliveries.list({ stack: name, sink: id, limit: 1 });
        return {
          stack: name,
          id,
          kind,
          name: sink,
          canDouble,
          waiting: depths.find((depth) => depth.stack === name && depth.sink === id)?.waiting ?? 0,
          last: newest(delivery && ofDelivery(delivery), inRun(stack, nth, runs)),
        };
      }),
    );
  }
};

type Last = SinkStatus["last"];

const newest = (one: Last | undefined, other: Last): Last =>
  one == null ? other : other === null || one.at >= other.at ? one : other;

function ofDelivery({ id, run, state, addedAt, deliveredAt, ...rest }: Delivery): Last {
  const { retryAt, attempts, rows, bytes, error } = rest;
  return {
    delivery: id,
    run,
    state,
    at: deliveredAt ?? addedAt,
    retryAt,
    attempts,
    rows,
    bytes,
    location: null,
    error,
  };
}

/** What a sink delivered in the newest run that itself delivered to it. */
function inRun({ config: { stack } }: OpenStack, nth: number, runs: Run[]): Last {
  for (const run of runs) {
    const output = deliveredIn(run, stack, nth);
    if (output === undefined || run.finishedAt === null) continue;
    const { rows, bytes, location } = output;
    const at = { at: run.finishedAt, retryAt: null, attempts: 1, error: null };
    return { delivery: null, run: run.id, state: "delivered", ...at, rows, bytes, location };
  }
  return null;
}
