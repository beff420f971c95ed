import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { RejectedRow, Run, Runs, RunState, type TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { findRun, stackOf } from "./find.ts";
import type { Processor } from "./index.ts";
import { oneOf, Sought, wholeNumber } from "./parameters.ts";
import { problemResponse, storageFull } from "./problems.ts";
import { sendText } from "./stream.ts";

const rejectedColumns: TableColumn[] = [
  { name: "row", type: "BIGINT" },
  { name: "column", type: "VARCHAR" },
  { name: "reason", type: "VARCHAR" },
  { name: "value", type: "VARCHAR" },
];

/** `GET /v1/runs…`: what became of the files. */
export const runs: FastifyPluginAsyncZod<Processor> = async (app, processor) => {
  const { ledger, tables } = processor;
  const params = z.object({ id: Sought });
  const noSuchRun = problemResponse("There is no such run.");

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
      if (before !== undefined) await findRun(processor, before);
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
    async ({ params: { id } }) => findRun(processor, id),
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
      const run = await findRun(processor, id);
      const key = await ledger.rejectedKey(id);
      const { lake } = stackOf(processor, run);
      const asCsv = (format ?? (accept.includes("text/csv") ? "csv" : "ndjson")) === "csv";
      reply.header("vary", "accept");
      if (asCsv) {
        reply
          .type("text/csv; charset=utf-8")
          .header("content-disposition", `attachment; filename="${id}-rejected.csv"`);
      } else reply.type("application/x-ndjson; charset=utf-8");
      const from = { lake, keys: async () => (key === null ? [] : [key]) };
      return sendText(reply, asCsv ? tables.csv(from, rejectedColumns) : ndjson(from));
    },
  );

  async function* ndjson(from: Parameters<typeof tables.allRows>[0]): AsyncIterable<string> {
    for await (const rows of tables.allRows(from, rejectedColumns))
      yield rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  }
};
