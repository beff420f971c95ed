import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { NewQuery, QueryAnswer, type QueryFormat } from "@cais/spec/query.ts";
import { z } from "zod";
import { type Caller, sees } from "../access/index.ts";
import { EngineFailed } from "../engine/index.ts";
import type { Source } from "../engine/messages.ts";
import type { Answered, Found } from "../query/index.ts";
import { TooManyQueries } from "../query/slots.ts";
import { ndjsonRows } from "../sinks/ndjson/index.ts";
import type { Writes } from "../sinks/writes.ts";
import { filesThen, tableAt } from "../tables/history.ts";
import { findStack } from "./find.ts";
import type { Processor } from "./index.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";
import { sendBytes } from "./stream.ts";

const writes: Record<QueryFormat, Writes> = {
  json: { as: "ndjson", form: "texts" },
  ndjson: { as: "ndjson", form: "objects" },
  csv: { as: "csv", delimiter: ",", decimal: "." },
};

const types: Record<QueryFormat, string> = {
  json: "application/json; charset=utf-8",
  ndjson: "application/x-ndjson; charset=utf-8",
  csv: "text/csv; charset=utf-8",
};

/** `POST /v1/query`: what a SELECT over the tables gives. */
export const query: FastifyPluginAsyncZod<Processor> = async (app, { stacks, ledger, queries }) => {
  app.addContentTypeParser(
    "application/json",
    { parseAs: "string", bodyLimit: 500_000 },
    app.getDefaultJsonParser("error", "error"),
  );

  app.post(
    "/query",
    {
      config: { action: "read", change: "query" },
      schema: {
        summary: "Ask tables with SQL",
        description:
          "One SELECT over the tables of the stacks that the caller may see; nothing can be changed by it. It may take a minute and half of the memory of a run. Closing the connection ends it.",
        body: NewQuery,
        response: {
          200: {
            description: "The rows. x-cais-more tells whether there are more than were asked for.",
            content: {
              "application/json": { schema: QueryAnswer },
              "application/x-ndjson": { schema: z.record(z.string(), z.unknown()) },
              "text/csv": { schema: z.string() },
            },
          },
          400: problemResponse("The query is no SELECT, or cannot be answered as it is."),
          404: problemResponse("There is no such table or version that the caller may see."),
          413: problemResponse("The body is too large."),
          415: problemResponse("The body is no JSON."),
          422: problemResponse("It took too much time or memory."),
          503: problemResponse("Too many queries wait; try again later."),
          507: storageFull,
        },
      },
    },
    async ({ body: { sql, limit, format }, caller }, reply) => {
      const gone = new AbortController();
      reply.raw.once("close", () => gone.abort());
      const answer = await answered(
        queries.run({ sql, limit, writes: writes[format] }, (source) => tableOf(source, caller), gone.signal),
      );
      reply.type(types[format]).header("x-cais-more", String(answer.more)).header("x-cais-rows", String(answer.rows));
      const body =
        format === "csv" ? createReadStream(answer.file) : Readable.from(pieces(answer, format), { objectMode: false });
      body.once("close", () => void answer.done());
      return sendBytes(reply, body);
    },
  );

  async function tableOf(source: Source, caller: Caller): Promise<Found> {
    const { stack, name } = find(source, caller);
    const { lake } = findStack({ stacks }, stack);
    const state = await ledger.tables.read(stack, name);
    const { version, time } = source;
    if (version !== null || time !== null) {
      const at = version === null ? { time: new Date(time ?? "") } : { version };
      const then = await tableAt(lake, name, at, state?.columns);
      return { files: filesThen(lake, name, then), columns: then.columns };
    }
    if (state === undefined)
      throw new ApiProblem("no-such-table", `The table ${stack}.${name} is empty: its first run makes its columns.`);
    const files = async () => (await ledger.tables.read(stack, name))?.files ?? [];
    return { files: { lake, files }, columns: state.columns };
  }

  /** The table that is meant. Stacks that the caller may not see are as if they were not there. */
  function find({ stack: wanted, table: sought }: Source, caller: Caller): { stack: string; name: string } {
    const seen = [...stacks.values()]
      .map(({ config }) => config.stack)
      .filter(({ name }) => sees(caller, name) && (wanted === null || name.replaceAll("-", "_") === plain(wanted)))
      .flatMap((stack) =>
        stack.tables
          .filter(({ name }) => name.toLowerCase() === sought.toLowerCase())
          .map(({ name }) => ({ stack: stack.name, name })),
      );
    const [found, other] = seen;
    const said = wanted === null ? sought : `${wanted}.${sought}`;
    if (found === undefined)
      throw new ApiProblem("no-such-table", `There is no table "${said}" that you may see; GET /v1/tables lists them.`);
    if (other !== undefined)
      throw new ApiProblem(
        "query-refused",
        `Several stacks have a table "${said}"; name one of ${seen.map(({ stack, name }) => `"${stack}".${name}`).join(", ")}.`,
      );
    return found;
  }
};

const plain = (stack: string) => stack.toLowerCase().replaceAll("-", "_");

/** Tells the caller what was wrong with the query. */
async function answered(work: Promise<Answered>): Promise<Answered> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof TooManyQueries) throw new ApiProblem("overloaded", cause.message, { cause });
    if (!(cause instanceof EngineFailed)) throw cause;
    const { fault, message } = cause;
    if (fault === "refused" || fault === "engine") {
      const hint = message.endsWith('near "-"') ? "; in a stack's name write _ for it, or the name in quotes." : "";
      throw new ApiProblem("query-refused", `The query cannot be answered. ${message}${hint}`, { cause });
    }
    if (fault === "time" || fault === "memory")
      throw new ApiProblem("query-too-large", `The query was too large. ${message} Ask for less at a time.`, { cause });
    if (fault === "disk")
      throw new ApiProblem("storage-full", "The query needs more room than there is; ask for less at a time.", {
        cause,
      });
    throw cause;
  }
}

/** An answer as it is sent. A row may be as long as the engine's memory allows, so none is held whole. */
async function* pieces({ file, columns, rows, more }: Answered, format: "json" | "ndjson"): AsyncGenerator<string> {
  if (format === "ndjson") return yield* ndjsonRows(file);
  yield `${JSON.stringify({ columns, rows, more }).slice(0, -1)},"data":[`;
  // No JSON holds a line's end, so each is one between rows, but for the last.
  let end = "";
  for await (const piece of ndjsonRows(file)) {
    const text = piece.replace(/\n$/, "");
    yield `${end}${text}`.replaceAll("\n", ",\n");
    end = text === piece ? "" : "\n";
  }
  yield "]}";
}
