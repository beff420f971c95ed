import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { isMap, isSeq, type Document } from "yaml";
import { crossCheck } from "./cross-check.ts";
import { SqlFile, StackShape, type Stack } from "./stack.ts";
import { suggest } from "./suggest.ts";
import { formatProblem, parseYaml, type Place, type YamlProblem as StackProblem } from "./yaml-file.ts";

export { formatProblem, type YamlProblem as StackProblem } from "./yaml-file.ts";

/** Everything that is wrong with one or more stacks, at once. */
export class StackError extends Error {
  override readonly name = "StackError";
  readonly problems: StackProblem[];

  constructor(problems: StackProblem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** A pipeline stack as read from its folder. */
export interface StackFolder {
  folder: string;
  stack: Stack;
  /** The text of each SQL file that the stack names. */
  sql: Record<string, string>;
  /** Where a key of the stack is written, such as `["tables", 0, "sql"]`. */
  place(path: readonly PropertyKey[]): Place;
}

/** No stack.yaml or SQL file of a data team comes near this; a larger one is a mistake or an attack. */
const maxFileBytes = 1 << 20;

/** Reads every folder of `stacks` that holds a stack.yaml, by name. Throws `StackError` with all problems of all of them. */
export function readStacks(stacks: string): StackFolder[] {
  const problems: StackProblem[] = [];
  const read: StackFolder[] = [];
  for (const entry of readdirSync(stacks, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!entry.isDirectory()) continue;
    try {
      read.push(readStack(join(stacks, entry.name)));
    } catch (error) {
      if (!(error instanceof StackError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new StackError(problems);
  return read;
}

/** Reads one stack's folder. Throws `StackError` with all its problems. */
export function readStack(folder: string): StackFolder {
  const path = join(folder, "stack.yaml");
  // As it is called in the project, wherever the command was typed.
  const file = relative(dirname(dirname(resolve(folder))), resolve(path));
  const text = readText(path);
  if (!text.ok) throw new StackError([{ file, line: 1, column: 1, path: "", message: text.why }]);

  const { document, value, shape, problems: found, place } = parseYaml(file, text.value, StackShape);
  if (value === undefined) throw new StackError(found);
  const problems = [...found, ...crossCheck(value).map(({ path, message }) => ({ ...place(path), message }))];
  const name = document.get("name");
  const expected = basename(resolve(folder));
  if (typeof name === "string" && name !== expected)
    problems.push({ ...place(["name"]), message: `must be the folder's name, "${expected}", found "${name}"` });

  const sql: Record<string, string> = {};
  sqlFiles(document).forEach((file, index) => {
    const query = readText(join(folder, file));
    if (query.ok) sql[file] = query.value;
    else problems.push({ ...place(["tables", index, "sql"]), message: query.why, ...nearestSql(folder, file) });
  });
  if (shape === undefined || problems.length > 0)
    throw new StackError(problems.toSorted((a, b) => a.line - b.line || a.column - b.column));
  return { folder, stack: shape, sql, place };
}

/** The SQL files named, as far as their names are valid, by the table's index. */
function sqlFiles(document: Document): string[] {
  const tables: unknown = document.get("tables");
  const files: string[] = [];
  if (isSeq(tables))
    tables.items.forEach((table, index) => {
      const file = isMap(table) ? SqlFile.safeParse(table.get("sql")) : undefined;
      if (file?.success) files[index] = file.data;
    });
  return files;
}

function readText(path: string): { ok: true; value: string } | { ok: false; why: string } {
  const name = basename(path);
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (!status) return { ok: false, why: `there is no file ${name} in the stack's folder; create it` };
  if (!status.isFile()) return { ok: false, why: `${name} must be a plain file, not a link or folder` };
  if (status.size > maxFileBytes)
    return { ok: false, why: `${name} has ${status.size} bytes; the limit is ${maxFileBytes}` };
  return { ok: true, value: readFileSync(path, "utf8") };
}

function nearestSql(folder: string, name: string): { suggestion?: string } {
  const nearest = suggest(
    name,
    readdirSync(folder).filter((entry) => entry.endsWith(".sql") && entry !== name),
  );
  return nearest ? { suggestion: nearest } : {};
}
