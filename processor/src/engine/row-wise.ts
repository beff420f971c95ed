import type { DuckDBConnection } from "@duckdb/node-api";
import { z } from "zod";
import { query } from "./duckdb.ts";
import { objectsIn, parse, type Part, SqlRefused } from "./select.ts";

/** Parts of a query beyond a list of expressions, one source and WHERE, as they are told. */
const parts: Record<string, string> = {
  cte_map: "WITH",
  group_expressions: "GROUP BY",
  group_sets: "GROUP BY",
  having: "HAVING",
  qualify: "QUALIFY",
  sample: "a sample",
};

const plainParts = new Set(["type", "select_list", "from_table", "where_clause", "aggregate_handling", "modifiers"]);

const modifiers: Record<string, string> = {
  DISTINCT_MODIFIER: "DISTINCT",
  ORDER_MODIFIER: "ORDER BY",
  LIMIT_MODIFIER: "LIMIT",
  LIMIT_PERCENT_MODIFIER: "LIMIT",
};

const sources: Record<string, string> = {
  JOIN: "a join",
  SUBQUERY: "a subquery",
  TABLE_FUNCTION: "a function as a table",
  EXPRESSION_LIST: "VALUES",
  EMPTY: "no table",
  PIVOT: "PIVOT",
};

/** Kinds of expressions that say nothing but of a row. */
const rowExpressions = new Set([
  "BETWEEN",
  "CASE",
  "CAST",
  "COLLATE",
  "COLUMN_REF",
  "COMPARISON",
  "CONJUNCTION",
  "CONSTANT",
  "FUNCTION",
  "LAMBDA",
  "OPERATOR",
  "STAR",
]);

/** Functions that tell the time have a form without brackets, in which they look like a column. */
const ofTheQuery = /^(current_.*|localtime.*|session_user|user|rowid)$/i;

/**
 * Why a SELECT does not give for each row of its one table what it gives for that row alone; null if it does.
 * Then what it gives for new rows can be added to what it gave before.
 */
export async function wholeBecause(connection: DuckDBConnection, sql: string): Promise<string | null> {
  try {
    const [statement] = await parse(connection, sql.replace(/;\s*$/, ""), "must be one SELECT statement");
    return (statement && (await notRowWise(connection, statement))) ?? null;
  } catch (error) {
    // The run that makes the table says what is wrong with it.
    if (error instanceof SqlRefused) return "it is refused";
    throw error;
  }
}

async function notRowWise(connection: DuckDBConnection, statement: Part): Promise<string | undefined> {
  if (statement["type"] !== "SELECT_NODE") return "a set operation";
  const part = Object.keys(statement).find((key) => !plainParts.has(key));
  if (part !== undefined) return parts[part] ?? part;
  if (statement["aggregate_handling"] !== "STANDARD_HANDLING") return "GROUP BY";
  for (const modifier of objectsIn(statement["modifiers"])) {
    const type = String(modifier["type"]);
    if (type in modifiers) return modifiers[type];
  }
  const { data: from } = Source.safeParse(statement["from_table"]);
  if (from === undefined) return "no table";
  if (from.type !== "BASE_TABLE") return sources[from.type] ?? from.type;
  if (from.sample !== undefined) return "a sample";
  const ofRows = await rowFunctions(connection);
  for (const expression of objectsIn([statement["select_list"], statement["where_clause"]])) {
    const kind = expression["class"];
    if (typeof kind !== "string") continue;
    if (kind === "SUBQUERY") return "a subquery";
    if (kind === "WINDOW") return "a window";
    if (!rowExpressions.has(kind)) return kind.toLowerCase();
    const name = String(expression["function_name"]).toLowerCase();
    if (kind === "FUNCTION" && !ofRows.has(name)) return `${name}()`;
    const { data: column } = Column.safeParse(expression);
    if (column !== undefined && ofTheQuery.test(column.column_names[0])) return column.column_names[0];
  }
  return undefined;
}

const Source = z.looseObject({ type: z.string(), sample: z.unknown().optional() });
const Column = z.object({ class: z.literal("COLUMN_REF"), column_names: z.tuple([z.string()]) });

let known: Promise<Set<string>> | undefined;

/** What tells the time, or counts up to it, although the engine calls it a function of a row alone. */
const ofTheClock = new Set(["age", "current_localtime", "current_localtimestamp"]);

/** What the engine does not know as functions of a row: unnest() gives rows for one, and the others are macros of such. */
const others = [
  "unnest",
  "nullif",
  "split_part",
  "date_add",
  "days_in_month",
  "fdiv",
  "fmod",
  "round_even",
  "roundbankers",
];

/** Functions that give the same for the same values, whichever rows are beside them. */
function rowFunctions(connection: DuckDBConnection): Promise<Set<string>> {
  known ??= query(
    connection,
    `SELECT lower(function_name) AS name FROM duckdb_functions() GROUP BY ALL
     HAVING bool_and(function_type = 'scalar' AND stability = 'CONSISTENT')`,
  ).then(
    (rows) => new Set([...rows.map(({ name }) => String(name)), ...others].filter((name) => !ofTheClock.has(name))),
  );
  return known;
}
