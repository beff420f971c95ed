import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { RejectedRow, type Run } from "@cais/spec/api.ts";
import { z } from "zod";
import { mayDo } from "../access/index.ts";
import { personal } from "../contract/pii.ts";
import { editable, hiding, mistakeColumns, mistakes, oldMistakes } from "../rejected/index.ts";
import type { LakeFiles, View } from "../tables/index.ts";
import { attachment } from "./attachment.ts";
import { findRun, stackOf } from "./find.ts";
import { askForPersonal } from "./guard.ts";
import type { Processor } from "./index.ts";
import { oneOf, Sought } from "./parameters.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";
import { sendText } from "./stream.ts";

/** `GET /v1/runs/{id}/rejected`: the rows that a run refused, and those of its file that are open, to edit. */
export const rejected: FastifyPluginAsyncZod<Processor> = async (app, processor) => {
  const { ledger, tables } = processor;

  app.get(
    "/runs/:id/rejected",
    {
      config: { action: "read" },
      schema: {
        summary: "The rows that a run refused",
        description:
          "One line per mistake: NDJSON, or CSV with `?format=csv` or `Accept: text/csv`. With `?format=editable`: the rows of its file that are open now, with the file's own columns, as CSV to be edited and sent to `replays`. Of a stack with personal data, values of such columns, texts of rows and rows to edit need the action pii.",
        params: z.object({ id: Sought }),
        querystring: z.object({ format: oneOf(["ndjson", "csv", "editable"]).optional() }),
        response: {
          200: {
            description: "Empty if there is none, and if the stack discards refused rows.",
            content: { "application/x-ndjson": { schema: RejectedRow }, "text/csv": { schema: z.string() } },
          },
          404: problemResponse("There is no such run, or its stack is not deployed any more."),
          409: problemResponse("No row of the file is there to be edited."),
          507: storageFull,
        },
      },
    },
    async ({ params: { id }, query, headers: { accept = "" }, caller }, reply) => {
      const run = await findRun(processor, id);
      const { lake, config } = stackOf(processor, run);
      const format = query.format ?? (accept.includes("text/csv") ? "csv" : "ndjson");
      const { contract } = config.stack;
      const names = personal(contract);
      const hidden = names.size > 0 && !mayDo(caller, "pii");
      if (hidden && format === "editable") askForPersonal(caller, contract, "These rows hold");
      const key = format === "editable" ? await openKey(run) : await ledger.rejectedKey(id);
      const from: LakeFiles = { lake, files: async () => (key === null ? [] : [{ key }]) };
      // The first version of Cais kept no headers.
      const whole = key !== null && (await ledger.header(id)) === null ? oldMistakes : mistakes;
      const shown = contract.columns.map(({ name }) => name).filter((name) => !names.has(name));
      const view = hidden ? hiding(whole, shown) : whole;
      reply.header("vary", "accept");
      if (format === "ndjson") {
        reply.type("application/x-ndjson; charset=utf-8");
        return sendText(reply, key === null ? nothing() : ndjson(from, view));
      }
      const name = format === "csv" ? `${id}-rejected.csv` : `${run.file.name.replace(/\.[^.]*$/, "")} open rows.csv`;
      reply.type("text/csv; charset=utf-8").header("content-disposition", attachment(name));
      if (format === "csv") return sendText(reply, tables.csv(from, mistakeColumns, view));
      return sendText(
        reply,
        editable((sql) => tables.select(from, sql)),
      );
    },
  );

  async function openKey(run: Run): Promise<string> {
    const open = await ledger.open(run.root ?? run.id);
    const key = open?.rejectedKey ?? null;
    if (key !== null && open?.header.length !== 0) return key;
    throw new ApiProblem(
      "nothing-to-edit",
      open === undefined
        ? `No row of "${run.file.name}" is open, so there is nothing to edit.`
        : `No rows of "${run.file.name}" are kept apart; download the file itself, correct it and send it.`,
    );
  }

  async function* ndjson(from: LakeFiles, view: View): AsyncIterable<string> {
    for await (const rows of tables.allRows(from, mistakeColumns, view))
      yield rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  }
};

async function* nothing(): AsyncIterable<string> {
  // An answer without a line.
}
