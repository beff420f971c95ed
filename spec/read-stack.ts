import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { isMap, isSeq, LineCounter, parseDocument, type Document } from "yaml";
import type { z } from "zod";
import { crossCheck } from "./cross-check.ts";
import { knownKeys } from "./known-keys.ts";
import { SqlFile, StackShape, type Stack } from "./stack.ts";
import { suggest } from "./suggest.ts";

/** One thing wrong with a stack, at its place in the file. Lines and columns count from 1. */
export interface StackProblem {
  file: string;
  line: number;
  column: number;
  /** Where in the stack, such as `contract.columns[2].type`; empty for the file itself. */
  path: string;
  /** What was expected and what was found. */
  message: string;
  /** The word that was probably meant. */
  suggestion?: string;
}

/** Everything that is wrong with one or more stacks, at once. */
export class StackError extends Error {
  override readonly name = "StackError";
  readonly problems: StackProblem[];

  constructor(problems: StackProblem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** A problem as compilers print it, so that editors and terminals link to its place. */
export const formatProblem = ({ file, line, column, path, message, suggestion }: StackProblem): string =>
  `${file}:${line}:${column}: ${path && `${path}: `}${message}${suggestion ? `; did you mean "${suggestion}"?` : ""}`;

/** A pipeline stack as read from its folder. */
export interface StackFolder {
  folder: string;
  stack: Stack;
  /** The text of each SQL file that the stack names. */
  sql: Record<string, string>;
  /** Where a key of the stack is written, such as `["tables", 0, "sql"]`. */
  place(path: readonly PropertyKey[]): Pick<StackProblem, "file" | "line" | "column" | "path">;
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

  const lines = new LineCounter();
  const document = parseDocument(text.value, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0)
    throw new StackError(
      syntax.map(({ pos, message }) => ({ ...at(pos[0]), path: "", message: `not valid YAML: ${message}` })),
    );

  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // Too many aliases: the classic way to make a small file fill the memory.
    throw new StackError([{ ...at(0), path: "", message: `not valid YAML: ${(error as Error).message}` }]);
  }
  const place = (path: Path) => ({ ...at(offsetOf(document, path)), path: formatPath(path) });
  const parsed = StackShape.safeParse(value, { reportInput: true });
  const problems = [
    ...(parsed.success ? [] : parsed.error.issues.flatMap((issue) => explain(issue, document, at))),
    ...crossCheck(value).map(({ path, message }) => ({ ...place(path), message })),
  ];
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
  if (!parsed.success || problems.length > 0)
    throw new StackError(problems.toSorted((a, b) => a.line - b.line || a.column - b.column));
  return { folder, stack: parsed.data, sql, place };
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

type At = (offset: number) => { file: string; line: number; column: number };
type Path = readonly PropertyKey[];

function explain(issue: z.core.$ZodIssue, document: Document, at: At): StackProblem[] {
  const place = (path: Path) => ({ ...at(offsetOf(document, path)), path: formatPath(path) });
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = knownKeys(StackShape, issue.path);
      return issue.keys.map((key) => {
        const nearest = suggest(key, known);
        const path = [...issue.path, key];
        return {
          ...at(offsetOf(document, path, true)),
          path: formatPath(path),
          message: `unknown key; expected ${list(known)}`,
          ...(nearest && { suggestion: nearest }),
        };
      });
    }
    case "invalid_value": {
      const values = issue.values.map(String);
      const nearest = typeof issue.input === "string" ? suggest(issue.input, values) : undefined;
      return [
        {
          ...place(issue.path),
          message: `expected ${list(values)}, found ${show(issue.input)}`,
          ...(nearest && { suggestion: nearest }),
        },
      ];
    }
    case "invalid_type": {
      const keys = issue.expected === "object" ? knownKeys(StackShape, issue.path) : [];
      const expected = keys.length > 0 ? `a group of keys (${list(keys)})` : issue.expected;
      return [
        {
          ...place(issue.path),
          message:
            issue.input === undefined
              ? `missing; expected ${expected}`
              : `expected ${expected}, found ${show(issue.input)}`,
        },
      ];
    }
    case "invalid_union": {
      const first = issue.errors.flat().find(({ code }) => code !== "invalid_type");
      return [
        {
          ...place(issue.path),
          message: `${first?.message ?? "not one of the forms accepted"}, found ${show(issue.input)}`,
        },
      ];
    }
    default:
      return [{ ...place(issue.path), message: `${issue.message}, found ${show(issue.input)}` }];
  }
}

/** The offset of the node at a path, or of its nearest parent that is there; with `key`, of the key itself. */
function offsetOf(document: Document, path: Path, key = false): number {
  for (let length = path.length; length >= 0; length--) {
    const parent = length > 0 ? document.getIn(path.slice(0, length - 1), true) : undefined;
    const pair = isMap(parent) ? parent.items.find((item) => String(item.key) === String(path[length - 1])) : undefined;
    const node = (key || length < path.length) && pair ? pair.key : document.getIn(path.slice(0, length), true);
    const range = (node as { range?: [number, number, number] | null } | undefined | null)?.range;
    if (range) return range[0];
  }
  return 0;
}

const formatPath = (path: Path): string =>
  path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : `${text}${text && "."}${String(part)}`),
    "",
  );

const list = (words: string[]): string =>
  words.length > 1 ? `${words.slice(0, -1).join(", ")} or ${words.at(-1)}` : words.join();

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "a group of keys";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
