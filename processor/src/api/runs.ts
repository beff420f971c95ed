import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { RejectedRow, Run, Runs, RunState, type TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import type { Processor } from "./index.ts";
import { oneOf, Sought, wholeNumber } from "./parameters.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";
import { sendText } from "./stream.ts";

const rejectedColumns: TableColumn[] = [
  { name: "row", type: "BIGINT" },
  { name: "column", type: "VARCHAR" },
  { name: "reason", type: "VARCHAR" },
  { name: "value", type: "VARCHAR" },
];

/** `GET /v1/runs…`: what became of the files. */
export const runs: FastifyPluginAsyncZod<Processor> = async (app, { stacks, ledger, tables }) => {
  const params = z.object({ id: Sought });
  const noSuchRun = problemResponse("There is no such run.");

  async function runOf(id: string): Promise<Run> {
    const run = await ledger.run(id);
    if (run === undefined) throw new ApiProblem("no-such-run", `There is no run "${id}"; GET /v1/runs lists them.`);
    return run;
  }

  app.get(
    "/runs",
    {
      config: { action: "read" },
      schema: {
        summary: "List runs, newest first",
        querystring: z.object({
          stack: Sought.optional(),
          state: oneOf(RunState.options).optional(),
          limit: wholeNumber(1, 500).default(50),
          before: Sought.optional().describe("`next` of the page before."),
        }),
        response: { 200: Runs, 404: noSuchRun },
      },
    },
    async ({ query: { stack, state, limit, before } }) => {
      if (before !== undefined) await runOf(before);
      // One more than asked for tells whether there is a next page.
      const found = await ledger.runs({
        ...(stack !== undefined && { stack }),
        ...(state !== undefined && { state }),
        ...(before !== undefined && { before }),
        limit: limit + 1,
      });
      const page = found.slice(0, limit);
      return { runs: page, next: found.length > limit ? (page.at(-1)?.id ?? null) : null };
    },
  );

  app.get(
    "/runs/:id",
    { config: { action: "read" }, schema: { summary: "One run", params, response: { 200: Run, 404: noSuchRun } } },
    async ({ params: { id } }) => runOf(id),
  );

  app.get(
    "/runs/:id/rejected",
    {
      config: { action: "read" },
      schema: {
        summary: "The rows that a run refused",
        description: "One line per mistake: NDJSON, or CSV with `?format=csv` or `Accept: text/csv`.",
        params,
        querystring: z.object({ format: oneOf(["ndjson", "csv"]).optional() }),
        response: {
          200: {
            description: "Empty if there is none, and if the stack discards refused rows.",
            content: { "application/x-ndjson": { schema: RejectedRow }, "text/csv": { schema: z.string() } },
          },
          404: noSuchRun,
          507: storageFull,
        },
      },
    },
    async ({ params: { id }, query: { format }, headers: { accept = "" } }, reply) => {
      const run = await runOf(id);
      const key = await ledger.rejectedKey(id);
      const lake = stacks.get(run.stack)?.lake;
      if (key !== null && lake === undefined)
        throw new ApiProblem(
          "no-such-stack",
          `The stack "${run.stack}" is not deployed here any more, so its rows cannot be read.`,
        );
      const asCsv = (format ?? (accept.includes("text/csv") ? "csv" : "ndjson")) === "csv";
      reply.header("vary", "accept");
      if (asCsv) {
        reply
          .type("text/csv; charset=utf-8")
          .header("content-disposition", `attachment; filename="${id}-rejected.csv"`);
      } else reply.type("application/x-ndjson; charset=utf-8");
      const from = lake === undefined ? undefined : { lake, keys: async () => (key === null ? [] : [key]) };
      if (from === undefined) return reply.send("");
      return sendText(reply, asCsv ? tables.csv(from, rejectedColumns) : ndjson(from));
    },
  );

  async function* ndjson(from: Parameters<typeof tables.allRows>[0]): AsyncIterable<string> {
    for await (const rows of tables.allRows(from, rejectedColumns))
      yield rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  }
};
