import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Stack } from "@cais/spec/stack.ts";
import { seenColumns } from "../contract/pii.ts";
import { UNKNOWN } from "../contract/select.ts";
import { sqlType } from "../contract/types.ts";
import { openDuckDB, sentenceOf } from "./duckdb.ts";
import { sqlName } from "./quote.ts";
import { checkExpression, checkSelect } from "./select.ts";

/** Something in a stack's SQL that no run could get past. */
export interface SqlMistake {
  /** The rule's or the table's index in the stack. */
  rule?: number;
  table?: number;
  /** Line in the SQL, from 1. */
  line: number;
  message: string;
}

/**
 * Lets the engine bind a stack's rules and tables to a contract without rows: it finds what a run would find before it
 * reads its first one. After a table that cannot be made, those that may read it are not looked at.
 */
export async function dryRun({ contract, tables }: Stack, sql: Record<string, string>): Promise<SqlMistake[]> {
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
      const mistake = await mistakeOf(() =>
        file === undefined ? makeBronze(connection, name) : makeView(connection, name, sql[file] ?? "", known),
      );
      if (mistake) return [...mistakes, { table, ...mistake }];
      known.push(name);
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
