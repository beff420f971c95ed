import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { Stacks, type Table, TableRows, Tables } from "@cais/spec/api.ts";
import { Identifier, StackName } from "@cais/spec/names.ts";
import { z } from "zod";
import { type Caller, sees } from "../access/index.ts";
import type { Processor } from "./index.ts";
import { wholeNumber } from "./parameters.ts";
import { plainEndings } from "../formats/names.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";
import { sendText } from "./stream.ts";

/** `GET /v1/stacks` and `GET /v1/tables…`: what is deployed here and what the tables hold. */
export const tables: FastifyPluginAsyncZod<Processor> = async (app, { config, stacks, ledger, tables: reader }) => {
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
    const { columns, files, updatedAt } = (await ledger.tables.read(stack, name)) ?? {
      columns: [],
      files: [],
      updatedAt: null,
    };
    const sum = (what: "rows" | "bytes") => files.reduce((total, file) => total + file[what], 0);
    return { stack, name, layer, columns, rows: sum("rows"), bytes: sum("bytes"), updatedAt };
  }

  function filesOf({ stack, name }: Table) {
    const lake = stacks.get(stack)?.lake;
    if (lake === undefined) throw new ApiProblem("no-such-stack", `There is no stack "${stack}".`);
    return { lake, files: async () => (await ledger.tables.read(stack, name))?.files ?? [] };
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

  const noSuchTable = problemResponse("There is no such table.");

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
        }),
        response: { 200: TableRows, 404: noSuchTable, 507: storageFull },
      },
    },
    async ({ params: { stack, table: name }, query: { limit, offset } }) => {
      const table = await tableOf(stack, name);
      const data =
        table.columns.length === 0 ? [] : await reader.rows(filesOf(table), table.columns, { limit, offset });
      return { ...table, data, offset };
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
        response: {
          200: { description: "The rows.", content: { "text/csv": { schema: z.string() } } },
          404: noSuchTable,
          507: storageFull,
        },
      },
    },
    async ({ params: { stack, table: name } }, reply) => {
      const table = await tableOf(stack, name);
      reply
        .type("text/csv; charset=utf-8")
        .header("content-disposition", `attachment; filename="${stack}-${name}.csv"`);
      if (table.columns.length === 0) return reply.send("");
      return sendText(reply, reader.csv(filesOf(table), table.columns));
    },
  );
};
