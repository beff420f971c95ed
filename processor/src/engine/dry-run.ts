import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Stack } from "@cais/spec/stack.ts";
import { suggest } from "@cais/spec/suggest.ts";
import { seenColumns } from "../contract/pii.ts";
import { UNKNOWN } from "../contract/select.ts";
import { sqlType } from "../contract/types.ts";
import { newMetadata } from "../tables/delta/schema.ts";
import { openDuckDB, sentenceOf } from "./duckdb.ts";
import { sqlName } from "./quote.ts";
import { columnsOf } from "./seen.ts";
import { checkExpression, checkSelect, SqlRefused, tablesRead } from "./select.ts";
import { stored } from "./write.ts";

/** Something in a stack's SQL that no run could get past. */
export interface SqlMistake {
  /** The rule's or the table's index in the stack. */
  rule?: number;
  table?: number;
  /** Line in the SQL, from 1. */
  line: number;
  /** Where it is in the stack, if not in the SQL. */
  path?: (string | number)[];
  message: string;
}

/**
 * Lets the engine bind a stack's rules and tables to a contract without rows: it finds what a run would find before it
 * reads its first one. After a table that cannot be made, those that may read it are not looked at.
 */
export async function dryRun({ contract, tables, sinks }: Stack, sql: Record<string, string>): Promise<SqlMistake[]> {
  const folder = await mkdtemp(join(tmpdir(), "cais-validate-"));
  const { instance, connection } = await openDuckDB(folder, { memoryBytes: 256e6, tempBytes: 1e6, threads: 1 });
  try {
    const unknown = contract.unknownColumns === "keep" ? [{ name: UNKNOWN, type: "MAP(VARCHAR, VARCHAR)" }] : [];
    const values = contract.columns.map((column) => ({ name: column.name, type: sqlType(column) }));
    await makeEmpty(connection, [...values, ...unknown]);
    const mistakes: SqlMistake[] = [];
    for (const [rule, { check }] of contract.rules.entries()) {
      const mistake = await mistakeOf(async () => {
        await checkExpression(connection, check);
        await connection.run(`DESCRIBE SELECT NOT (\n${check}\n) FROM input`);
      });
      if (mistake) mistakes.push({ rule, ...mistake });
    }
    // Rules are about the values themselves; tables see what is left of personal data.
    await makeEmpty(connection, [...seenColumns(contract), ...unknown]);
    const known = ["input"];
    for (const [table, { name, sql: file }] of tables.entries()) {
      const text = sql[file ?? ""] ?? "";
      const mistake = await mistakeOf(async () => {
        await (file === undefined ? makeBronze(connection, name) : makeView(connection, name, text, known));
        await checkGrowth(connection, tables, table, text);
      });
      if (mistake) return [...mistakes, { table, ...mistake }];
      known.push(name);
      for (const found of await checkColumns(connection, { tables, sinks }, table))
        mistakes.push({ table, line: 1, ...found });
    }
    return mistakes;
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Makes an `input` of these columns without rows. */
async function makeEmpty(connection: DuckDBConnection, columns: { name: string; type: string }[]): Promise<void> {
  const cells = columns.map(({ name, type }) => `CAST(NULL AS ${type}) AS ${sqlName(name)}`);
  await connection.run(`CREATE OR REPLACE VIEW input AS SELECT ${cells.join(", ")} WHERE false`);
}

/** A table of rows as received, with what it says of each (`contract/check.ts`). */
async function makeBronze(connection: DuckDBConnection, name: string): Promise<void> {
  const added = "NULL::VARCHAR AS _file, NULL::VARCHAR AS _member, NULL::BIGINT AS _row, NULL::VARCHAR AS _run";
  await connection.run(
    `CREATE VIEW ${sqlName(name)} AS SELECT *, ${added}, NULL::TIMESTAMP AS _received_at FROM input`,
  );
}

async function makeView(connection: DuckDBConnection, name: string, sql: string, known: string[]): Promise<void> {
  const select = await checkSelect(connection, sql, known);
  await connection.run(`CREATE VIEW ${sqlName(name)} AS\n${select}`);
}

/** What a table adds to itself must be told from what it has: of two tables that grow, it cannot be. */
async function checkGrowth(connection: DuckDBConnection, tables: Tables, table: number, sql: string): Promise<void> {
  if (tables[table]?.disposition === "replace") return;
  const read = await tablesRead(connection, sql);
  const grown = tables.filter((one) => one.disposition === "append" && read.includes(one.name.toLowerCase()));
  if (read.includes("input") || grown.length < 2) return;
  const names = grown.map(({ name }) => name).join(" and ");
  throw new SqlRefused(
    `It adds to its table what is new in ${names}, but can only tell what is new in one of them; read the others from a table that is replaced, or let this one be replaced.`,
  );
}

type Tables = Stack["tables"];

/** What a table's columns cannot be: those of a Delta table, of its key or its partitions, or of a database's key. */
async function checkColumns(
  connection: DuckDBConnection,
  { tables, sinks }: Pick<Stack, "tables" | "sinks">,
  table: number,
): Promise<Pick<SqlMistake, "path" | "message">[]> {
  const { name, key, partitionBy } = tables[table] ?? { name: "", key: [], partitionBy: [] };
  const mistakes: Pick<SqlMistake, "path" | "message">[] = [];
  const columns = await columnsOf(connection, `SELECT * FROM ${sqlName(name)}`);
  const ofTable = Object.entries({ key, partitionBy }).map(([where, asked]) => ({
    path: ["tables", table, where],
    asked,
  }));
  const ofSinks = sinks.flatMap(({ database }, index) =>
    database?.table === name ? [{ path: ["sinks", index, "database", "key"], asked: database.key ?? [] }] : [],
  );
  for (const { path: list, asked } of [...ofTable, ...ofSinks])
    for (const [index, column] of asked.entries()) {
      const type = columns.find((each) => each.name === column)?.type;
      const path = [...list, index];
      const nearest = suggest(
        column,
        columns.map((each) => each.name),
      );
      if (type === undefined)
        mistakes.push({
          path,
          message: `the table has no column "${column}"${nearest === undefined ? "" : `; did you mean "${nearest}"?`}`,
        });
      else if (list[0] === "tables" && /[\])]$/.test(type) && !type.startsWith("DECIMAL"))
        mistakes.push({ path, message: `"${column}" is ${type}, of several values; name a column of one` });
    }
  if (mistakes.length > 0) return mistakes;
  try {
    newMetadata(stored("", columns).columns, partitionBy);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const path =
      partitionBy.length > 0 && !(error instanceof SqlRefused) ? ["tables", table, "partitionBy"] : undefined;
    mistakes.push({ ...(path && { path }), message: error.message });
  }
  return mistakes;
}

async function mistakeOf(work: () => Promise<void>): Promise<Pick<SqlMistake, "line" | "message"> | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const line = Number(/LINE (\d+):/.exec(error.message)?.[1] ?? 2) - 1;
    return { line: Math.max(1, line), message: sentenceOf(error.message) };
  }
}
