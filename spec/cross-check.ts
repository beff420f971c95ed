import { z } from "zod";
import { patternProblem } from "./pattern.ts";

/** A rule that spans keys and was broken, at the path of the key to change. */
export interface CrossIssue {
  path: (string | number)[];
  message: string;
}

const text = z.string().optional().catch(undefined);
const number = z.number().optional().catch(undefined);
const items = <Item extends z.ZodObject>(item: Item) => z.array(item.catch(item.parse({}) as z.output<Item>)).catch([]);

/** As much of a stack as can be read, so that a mistake in one key does not hide those in others. */
const Readable = z.object({
  environments: z.array(text).catch([]),
  contract: z
    .object({
      columns: items(
        z.object({
          name: text,
          from: text,
          type: text,
          min: number,
          max: number,
          pattern: z.unknown().optional(),
          values: z.unknown().optional(),
          reason: text,
        }),
      ),
    })
    .catch({ columns: [] }),
  tables: items(z.object({ name: text, layer: text, sql: text })),
  sinks: items(z.object({ csv: z.object({ table: text, to: text }).optional().catch(undefined) })),
});

/** The rules of a stack that its shape cannot say. Takes anything: what cannot be read is left to the shape's own errors. */
export function crossCheck(value: unknown): CrossIssue[] {
  const parsed = Readable.safeParse(value);
  if (!parsed.success) return [];
  const { environments, contract, tables, sinks } = parsed.data;
  const issues: CrossIssue[] = [];
  const report = (path: (string | number)[], message: string) => issues.push({ path, message });

  const once = (names: (string | undefined)[], path: (index: number) => (string | number)[]) =>
    names.forEach((name, index) => {
      const first = names.findIndex((other) => other?.toLowerCase() === name?.toLowerCase());
      if (name !== undefined && first < index)
        report(path(index), `"${name}" is there already, as number ${first + 1}`);
    });
  const { columns } = contract;
  once(environments, (i) => ["environments", i]);
  once(
    columns.map(({ name }) => name),
    (i) => ["contract", "columns", i, "name"],
  );
  once(
    columns.map(({ from }) => from),
    (i) => ["contract", "columns", i, "from"],
  );
  columns.forEach(({ name, from }, i) => {
    const taken = columns.findIndex((other, j) => j !== i && other.from === undefined && other.name === from);
    if (from !== name && taken >= 0)
      report(["contract", "columns", i, "from"], `column ${taken + 1} has this header already, by its name`);
  });
  once(
    tables.map(({ name }) => name),
    (i) => ["tables", i, "name"],
  );
  once(
    sinks.map(({ csv }) => csv?.to),
    (i) => ["sinks", i, "csv", "to"],
  );

  columns.forEach(({ name, type, min, max, pattern, values, reason }, i) => {
    const at = (key: string) => ["contract", "columns", i, key];
    const numeric = type === undefined || type === "integer" || type === "double";
    const textual = type === undefined || type === "string";
    if (!numeric && min !== undefined) report(at("min"), `goes with integer and double, not ${type}`);
    if (!numeric && max !== undefined) report(at("max"), `goes with integer and double, not ${type}`);
    if (!textual && pattern !== undefined) report(at("pattern"), `goes with string, not ${type}`);
    if (!textual && values !== undefined) report(at("values"), `goes with string, not ${type}`);
    if (min !== undefined && max !== undefined && min > max) report(at("min"), `${min} is above max, ${max}`);
    const problem = typeof pattern === "string" ? patternProblem(pattern) : undefined;
    if (problem !== undefined) report(at("pattern"), `the pattern of ${name ?? "this column"} ${problem}`);
    if (reason !== undefined && pattern === undefined && values === undefined)
      report(at("reason"), "is told when pattern or values are not met, and there is neither");
  });
  tables.forEach(({ name }, i) => {
    if (name?.toLowerCase() === "input")
      report(["tables", i, "name"], "`input` is what SQL calls the rows of a run; choose another name");
  });
  const names = tables.map(({ name }) => name).filter((name) => name !== undefined);
  sinks.forEach(({ csv }, i) => {
    if (csv?.table !== undefined && !names.includes(csv.table))
      report(["sinks", i, "csv", "table"], `no table "${csv.table}"; there is ${names.join(", ") || "none"}`);
  });
  return issues;
}
