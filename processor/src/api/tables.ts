import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { Stacks, type Table, TableRows, Tables } from "@cais/spec/api.ts";
import { Identifier, StackName } from "@cais/spec/names.ts";
import { TableVersions } from "@cais/spec/table-versions.ts";
import { z } from "zod";
import { type Caller, sees } from "../access/index.ts";
import type { Processor } from "./index.ts";
import { findStack } from "./find.ts";
import { Moment, wholeNumber } from "./parameters.ts";
import { plainEndings } from "../formats/names.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";
import { filesThen, tableAt, versionsOf } from "../tables/history.ts";
import type { LakeFiles } from "../tables/index.ts";
import { sendText } from "./stream.ts";

/** Which version of a table is meant; neither: what it is now. */
const When = z.object({
  version: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional().describe("A version of its Delta log."),
  at: Moment.optional().describe("A day or a time: what was the newest version then."),
});

/** `GET /v1/stacks` and `GET /v1/tables…`: what is deployed here and what the tables hold. */
export const tables: FastifyPluginAsyncZod<Processor> = async (app, processor) => {
  const { config, stacks, ledger, tables: reader, monitors } = processor;
  app.get(
    "/stacks",
    { config: { action: "read" }, schema: { summary: "The stacks that are deployed here", response: { 200: Stacks } } },
    async ({ caller }) => ({
      environment: config.environment,
      stacks: seenBy(caller).map((stack) => ({
        name: stack.name,
        owner: stack.owner,
        description: stack.description ?? null,
        ...stack.source.upload,
        endings: [...plainEndings(stack.source.upload.formats), ".gz", ".zip"],
        direct: stacks.get(stack.name)?.input.tempUrlOrigin !== undefined,
        fullScan: monitors.get(stack.name)?.fullScan() ?? null,
        tables: stack.tables.map(({ name, layer }) => ({ name, layer })),
      })),
    }),
  );

  function seenBy(caller: Caller) {
    return [...stacks.values()].map(({ config: { stack } }) => stack).filter(({ name }) => sees(caller, name));
  }

  async function tableOf(stack: string, name: string): Promise<Table> {
    const layer = stacks.get(stack)?.config.stack.tables.find((table) => table.name === name)?.layer;
    if (layer === undefined)
      throw new ApiProblem("no-such-table", `There is no table "${stack}/${name}"; GET /v1/tables lists them.`);
    const state = await ledger.tables.read(stack, name);
    const { columns = [], partitionBy = [], version = null, files = [], updatedAt = null } = state ?? {};
    const sum = (what: "rows" | "bytes") => files.reduce((total, file) => total + file[what], 0);
    const sizes = { rows: sum("rows"), bytes: sum("bytes") };
    return { stack, name, layer, columns, partitionBy, version, ...sizes, updatedAt };
  }

  /** A table and its files, as they are now or as they were. */
  async function tableWhen(stack: string, name: string, { version, at }: z.output<typeof When>) {
    const table = await tableOf(stack, name);
    const { lake } = findStack({ stacks }, stack);
    if (version === undefined && at === undefined)
      return { table, files: { lake, files: async () => (await ledger.tables.read(stack, name))?.files ?? [] } };
    if (version !== undefined && at !== undefined)
      throw new ApiProblem("bad-request", "Give version or at, not both: each says which version is meant.");
    const when = version === undefined ? { time: new Date(at ?? "") } : { version };
    const found = await tableAt(lake, name, when, table.columns);
    const { files: list, at: time, ...then } = found;
    const files = filesThen(lake, name, found);
    const rows = list.every((file) => file.rows !== undefined)
      ? list.reduce((total, file) => total + (file.rows ?? 0), 0)
      : await countRows(files);
    const bytes = list.reduce((total, file) => total + file.bytes, 0);
    return { table: { ...table, ...then, rows, bytes, updatedAt: time.toISOString() }, files };
  }

  /** For files of other programs that do not say it. */
  async function countRows(files: LakeFiles): Promise<number> {
    let rows = 0;
    for await (const [first] of reader.select(files, (from) => `SELECT count(*) FROM ${from}`))
      rows += Number(first?.[0]);
    return rows;
  }

  app.get(
    "/tables",
    { config: { action: "read" }, schema: { summary: "The tables of all stacks", response: { 200: Tables } } },
    async ({ caller }) => ({
      tables: await Promise.all(
        seenBy(caller).flatMap((stack) => stack.tables.map(({ name }) => tableOf(stack.name, name))),
      ),
    }),
  );

  const noSuchTable = problemResponse("There is no such table, or no such version of it.");

  app.get(
    "/tables/:stack/:table",
    {
      config: { action: "read" },
      schema: {
        summary: "A page of a table's rows",
        description:
          "Numbers are numbers, but text where JSON would lose digits (whole numbers beyond 53 bits, DECIMAL with a fraction and more than 15 digits); dates and times are ISO 8601 with microseconds.",
        params: z.object({ stack: StackName, table: Identifier }),
        querystring: z.object({
          limit: wholeNumber(1, 10_000).default(100),
          offset: wholeNumber(0, Number.MAX_SAFE_INTEGER).default(0),
          ...When.shape,
        }),
        response: { 200: TableRows, 404: noSuchTable, 507: storageFull },
      },
    },
    async ({ params: { stack, table: name }, query: { limit, offset, ...when } }) => {
      const { table, files } = await tableWhen(stack, name, when);
      const data = table.columns.length === 0 ? [] : await reader.rows(files, table.columns, { limit, offset });
      return { ...table, data, offset };
    },
  );

  app.get(
    "/tables/:stack/:table/versions",
    {
      config: { action: "read" },
      schema: {
        summary: "The versions of a table, newest first",
        description: "As its Delta log has them, those that other programs wrote among them.",
        params: z.object({ stack: StackName, table: Identifier }),
        querystring: z.object({
          limit: wholeNumber(1, 100).default(20),
          before: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional().describe("`next` of the page before."),
        }),
        response: { 200: TableVersions, 404: noSuchTable },
      },
    },
    async ({ params: { stack, table: name }, query }) => {
      await tableOf(stack, name);
      return { stack, name, ...(await versionsOf(findStack({ stacks }, stack).lake, name, query)) };
    },
  );

  app.get(
    "/tables/:stack/:table.csv",
    {
      config: { action: "read" },
      schema: {
        summary: "A whole table as treated CSV",
        description: "RFC 4180 in UTF-8. A text that a spreadsheet would run as a formula has a ' before it.",
        params: z.object({ stack: StackName, table: Identifier }),
        querystring: When,
        response: {
          200: { description: "The rows.", content: { "text/csv": { schema: z.string() } } },
          404: noSuchTable,
          507: storageFull,
        },
      },
    },
    async ({ params: { stack, table: name }, query }, reply) => {
      const { table, files } = await tableWhen(stack, name, query);
      reply
        .type("text/csv; charset=utf-8")
        .header("content-disposition", `attachment; filename="${stack}-${name}.csv"`);
      if (table.columns.length === 0) return reply.send("");
      return sendText(reply, reader.csv(files, table.columns));
    },
  );
};
