import type { FastifyInstance } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Processor } from "./index.ts";
import { ApiProblem } from "./problems.ts";

const Ready = z.object({
  ready: z.boolean(),
  notReady: z.array(z.string()).describe("What is not ready; the processor's log says why."),
  sync: z
    .object({
      ageSeconds: z.number().describe("Time since the machine last looked at what it is to run."),
      problems: z.number().int().nullable().describe("What it could not do then; null if it has not told."),
    })
    .optional()
    .describe("On a machine that takes what it runs from a store. Files are taken whatever this says."),
});

/** What is answered while the processor stops, on the connections that are still open. */
const TO_THE_END = new Set(["/healthz", "/readyz", "/metrics"]);

/** Refuses all else once the processor stops. */
export function refuseWhenStopping(app: FastifyInstance, { isStopping }: Pick<Processor, "isStopping">): void {
  app.addHook("onRequest", async ({ routeOptions: { url } }) => {
    if (isStopping() && !TO_THE_END.has(url ?? ""))
      throw new ApiProblem("stopping", "The processor is stopping; send the request again when it is back.");
  });
}

/** `/healthz`, `/readyz`, `/metrics`, `/openapi.json`: for who runs the processor. They hold no data and ask for no token. */
export const health: FastifyPluginAsyncZod<Processor> = async (app, processor) => {
  const { stacks, ledger, runner, metrics, sync, isStopping } = processor;
  app.get(
    "/healthz",
    { schema: { summary: "Whether the process answers", response: { 200: z.object({ healthy: z.literal(true) }) } } },
    async () => ({ healthy: true as const }),
  );

  app.get(
    "/readyz",
    {
      schema: {
        summary: "Whether files can be taken",
        response: { 200: Ready, 503: Ready.describe("Something is not ready.") },
      },
    },
    async (request, reply) => {
      const notReady: string[] = [];
      const check = async (what: string, work: () => unknown) => {
        try {
          await work();
        } catch (error) {
          request.log.warn({ err: error, what }, "not ready");
          notReady.push(what);
        }
      };
      if (isStopping()) notReady.push("the processor is stopping");
      await check("the ledger", () => ledger.depth());
      await check("the audit log", () => processor.access.audit.check());
      await check("disk space", async () => {
        const free = await processor.freeBytes();
        if (free < processor.minFreeBytes)
          throw new Error(
            `The data folder's disk has ${Math.floor(free / 1e6)} MB left, less than ${processor.minFreeBytes / 1e6}; free some.`,
          );
      });
      if (!runner.canStart()) notReady.push("the SQL engine, which did not start the last time");
      for (const [name, stack] of stacks)
        for (const role of ["input", "lake", "output"] as const)
          await check(`the ${role} store of stack "${name}"`, () => stack[role].check());
      const ready = notReady.length === 0;
      return reply.code(ready ? 200 : 503).send({ ready, notReady, ...(sync && { sync: await sync() }) });
    },
  );

  app.get(
    "/metrics",
    {
      schema: {
        summary: "Counts and times for Prometheus",
        response: {
          200: { description: "Prometheus' text format.", content: { "text/plain": { schema: z.string() } } },
        },
      },
    },
    async (_request, reply) => reply.type("text/plain; version=0.0.4; charset=utf-8").send(await metrics.text()),
  );

  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
};
