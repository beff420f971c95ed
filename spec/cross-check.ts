import { z } from "zod";
import { checkBi, readableBi } from "./bi-rules.ts";
import { checkContract, ReadableContract, reportTwice } from "./contract-rules.ts";
import { checkTables, ReadableTable } from "./table-rules.ts";

/** A rule that spans keys and was broken, at the path of the key to change. */
export interface CrossIssue {
  path: (string | number)[];
  message: string;
}

const text = z.string().optional().catch(undefined);
const items = <Item extends z.ZodObject>(item: Item) => z.array(item.catch(item.parse({}) as z.output<Item>)).catch([]);

const ReadableSink = z.object({ ...readableBi, to: text, delimiter: text, decimal: text }).partial();

/** As much of a stack as can be read, so that a mistake in one key does not hide those in others. */
const Readable = z.object({
  environments: z.array(text).catch([]),
  source: z
    .object({ upload: z.object({ read: z.object({ csv: z.object({ header: z.boolean() }) }) }) })
    .optional()
    .catch(undefined),
  contract: ReadableContract,
  tables: items(ReadableTable),
  sinks: z.array(z.record(z.string(), ReadableSink.catch({})).catch({})).catch([]),
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
  checkTables(tables, contract, report);
  checkSinks(sinks, tables, report);
  return issues;
}

function checkSinks(
  sinks: Record<string, z.output<typeof ReadableSink>>[],
  tables: z.output<typeof ReadableTable>[],
  report: (path: (string | number)[], message: string) => void,
): void {
  const names = tables.map(({ name }) => name).filter((name) => name !== undefined);
  const kinds = sinks.map((sink) => Object.keys(sink)[0] ?? "");
  sinks.forEach((sink, i) => {
    const [, second] = Object.keys(sink);
    if (Object.keys(sink).length === 0) report(["sinks", i], "has no kind; give it one, such as csv");
    if (second !== undefined) report(["sinks", i, second], "is a second kind; give each sink an item of the list");
    for (const [kind, { table, delimiter, decimal }] of Object.entries(sink)) {
      if (table !== undefined && !names.includes(table))
        report(["sinks", i, kind, "table"], `no table "${table}"; there is ${names.join(", ") || "none"}`);
      if (decimal === "," && (delimiter ?? ",") === ",")
        report(
          ["sinks", i, kind, "decimal"],
          'a comma in numbers needs another one between cells, such as delimiter: ";"',
        );
    }
    if (sink["bi"] !== undefined)
      checkBi(sink["bi"], tables, (key, message) =>
        report(["sinks", i, "bi", ...(key === undefined ? [] : [key])], message),
      );
  });
  reportTwice(
    sinks.map((sink, i) => sink[kinds[i] ?? ""]?.to),
    (i) => ["sinks", i, kinds[i] ?? "", "to"],
    report,
  );
}
