import { isMap, LineCounter, parseDocument, type Document } from "yaml";
import type { z } from "zod";
import { knownKeys } from "./known-keys.ts";
import { suggest } from "./suggest.ts";

/** One thing wrong with a YAML file that people write, at its place. Lines and columns count from 1. */
export interface YamlProblem {
  file: string;
  line: number;
  column: number;
  /** Where in the file, such as `contract.columns[2].type`; empty for the file itself. */
  path: string;
  /** What was expected and what was found. */
  message: string;
  /** The word that was probably meant. */
  suggestion?: string;
}

/** A problem as compilers print it, so that editors and terminals link to its place. */
export const formatProblem = ({ file, line, column, path, message, suggestion }: YamlProblem): string =>
  `${file}:${line}:${column}: ${path && `${path}: `}${message}${suggestion ? `; did you mean "${suggestion}"?` : ""}`;

export type Place = Pick<YamlProblem, "file" | "line" | "column" | "path">;

/** A file as read: what it holds if it has the shape asked for, and all that is wrong with it. */
export interface YamlFile<Shape> {
  document: Document;
  /** What the file holds, whatever its shape; undefined when it is no YAML. */
  value: unknown;
  /** Undefined when the shape is another. */
  shape: Shape | undefined;
  /** When it is no YAML, these say only that. */
  problems: YamlProblem[];
  /** Where a key is written, such as `["tables", 0, "sql"]`. */
  place(path: readonly PropertyKey[]): Place;
}

/** Holds the text of a file, named as its readers know it, to a schema. */
export function parseYaml<Schema extends z.ZodType>(
  file: string,
  text: string,
  schema: Schema,
): YamlFile<z.output<Schema>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const place = (path: Path) => ({ ...at(offsetOf(document, path)), path: formatPath(path) });
  const notYaml = (problems: YamlProblem[]) => ({ document, value: undefined, shape: undefined, problems, place });

  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0)
    return notYaml(
      syntax.map(({ pos, message }) => ({ ...at(pos[0]), path: "", message: `not valid YAML: ${message}` })),
    );
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // Too many aliases: the classic way to make a small file fill the memory.
    return notYaml([{ ...at(0), path: "", message: `not valid YAML: ${(error as Error).message}` }]);
  }
  const parsed = schema.safeParse(value, { reportInput: true });
  const problems = parsed.success ? [] : parsed.error.issues.flatMap((issue) => explain(issue, schema, document, at));
  return { document, value, shape: parsed.success ? parsed.data : undefined, problems, place };
}

type At = (offset: number) => { file: string; line: number; column: number };
type Path = readonly PropertyKey[];

function explain(issue: z.core.$ZodIssue, schema: z.ZodType, document: Document, at: At): YamlProblem[] {
  const place = (path: Path) => ({ ...at(offsetOf(document, path)), path: formatPath(path) });
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = knownKeys(schema, issue.path);
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
      const keys = issue.expected === "object" ? knownKeys(schema, issue.path) : [];
      const expected =
        keys.length > 0 ? `a group of keys (${list(keys)})` : issue.expected === "array" ? "a list" : issue.expected;
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
