import { z } from "zod";
import { checkContract, ReadableContract, reportTwice } from "./contract-rules.ts";

/** A rule that spans keys and was broken, at the path of the key to change. */
export interface CrossIssue {
  path: (string | number)[];
  message: string;
}

const text = z.string().optional().catch(undefined);
const items = <Item extends z.ZodObject>(item: Item) => z.array(item.catch(item.parse({}) as z.output<Item>)).catch([]);

/** As much of a stack as can be read, so that a mistake in one key does not hide those in others. */
const Readable = z.object({
  environments: z.array(text).catch([]),
  source: z
    .object({ upload: z.object({ read: z.object({ csv: z.object({ header: z.boolean() }) }) }) })
    .optional()
    .catch(undefined),
  contract: ReadableContract,
  tables: items(z.object({ name: text, layer: text, sql: text })),
  sinks: items(z.object({ csv: z.object({ table: text, to: text }).optional().catch(undefined) })),
});

/** The rules of a stack that its shape cannot say. Takes anything: what cannot be read is left to the shape's own errors. */
export function crossCheck(value: unknown): CrossIssue[] {
  const parsed = Readable.safeParse(value);
  if (!parsed.success) return [];
  const { environments, source, contract, tables, sinks } = parsed.data;
  const issues: CrossIssue[] = [];
  const report = (path: (string | number)[], message: string) => issues.push({ path, message });

  reportTwice(environments, (i) => ["environments", i], report);
  checkContract(contract, source?.upload.read.csv.header ?? true, report);
  reportTwice(
    tables.map(({ name }) => name),
    (i) => ["tables", i, "name"],
    report,
  );
  reportTwice(
    sinks.map(({ csv }) => csv?.to),
    (i) => ["sinks", i, "csv", "to"],
    report,
  );
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
