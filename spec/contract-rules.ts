import { z } from "zod";
import { patternProblem } from "./pattern.ts";
import { formatProblem } from "./time-format.ts";

const text = z.string().optional().catch(undefined);
const flag = z.boolean().optional().catch(undefined);
const bound = z.union([z.number(), z.string()]).optional().catch(undefined);
const textList = z
  .union([z.string().transform((only) => [only]), z.array(z.string())])
  .optional()
  .catch(undefined);

const ReadableColumn = z.object({
  name: text,
  from: z
    .union([z.string(), z.object({ preamble: z.string() })])
    .optional()
    .catch(undefined),
  type: text,
  required: flag,
  optional: flag,
  unique: flag,
  scale: z.number().optional().catch(undefined),
  min: bound,
  max: bound,
  pattern: z.unknown().optional(),
  values: z.unknown().optional(),
  format: textList,
  timezone: text,
  decimal: text,
  thousands: text,
  reason: text,
  pii: text,
});
type ReadableColumn = z.output<typeof ReadableColumn>;

/** As much of a contract as can be read, so that a mistake in one key does not hide those in others. */
export const ReadableContract = z
  .object({
    columns: z.array(ReadableColumn.catch({} as ReadableColumn)).catch([]),
    unique: z.array(z.array(text).catch([])).catch([]),
    decimal: text,
    thousands: text,
    unknownColumns: text,
    piiKey: z.unknown().optional(),
  })
  .catch({ columns: [], unique: [], decimal: undefined, thousands: undefined, unknownColumns: undefined });
export type ReadableContract = z.output<typeof ReadableContract>;

type Report = (path: (string | number)[], message: string) => void;

/** Reports those that are there already. Names differ by more than the case of their letters. */
export function reportTwice(
  names: (string | undefined)[],
  path: (index: number) => (string | number)[],
  report: Report,
): void {
  names.forEach((name, index) => {
    const first = names.findIndex((other) => other?.toLowerCase() === name?.toLowerCase());
    if (name !== undefined && first < index) report(path(index), `"${name}" is there already, as number ${first + 1}`);
  });
}

const at = (index: number, key: string) => ["contract", "columns", index, key];

/** The rules of a contract that span its keys. `hasHeader`: whether its files have a row of titles. */
export function checkContract(contract: ReadableContract, hasHeader: boolean, report: Report): void {
  const { columns } = contract;
  reportTwice(
    columns.map(({ name }) => name),
    (index) => at(index, "name"),
    report,
  );
  reportTwice(
    columns.map(({ from }) => (typeof from === "string" ? from : undefined)),
    (index) => at(index, "from"),
    report,
  );
  reportTwice(
    columns.map(({ from }) => (typeof from === "object" ? from.preamble : undefined)),
    (index) => at(index, "from"),
    report,
  );
  columns.forEach(({ name, from }, index) => {
    const taken = columns.findIndex((other, j) => j !== index && other.from === undefined && other.name === from);
    if (from !== name && taken >= 0)
      report(at(index, "from"), `column ${taken + 1} has this header already, by its name`);
  });
  columns.forEach((column, index) =>
    checkColumn(column, contract, hasHeader, (key, message) => report(at(index, key), message)),
  );
  const separators = [contract.decimal ?? ".", contract.thousands];
  if (separators[0] === separators[1])
    report(["contract", "thousands"], `is "${contract.thousands}" as decimal is; they must differ`);
  const names = columns.map(({ name }) => name);
  contract.unique.forEach((set, index) =>
    set.forEach((name, position) => {
      const path = ["contract", "unique", index, position];
      if (name !== undefined && !names.includes(name))
        report(path, `no column "${name}"; there is ${names.filter(Boolean).join(", ")}`);
      if (name !== undefined && set.indexOf(name) < position) report(path, `"${name}" is in this set already`);
    }),
  );
  const hashed = columns.findIndex(({ pii }) => pii === "hash");
  if (hashed >= 0 && contract.piiKey === undefined)
    report(at(hashed, "pii"), "hash needs a key: give the contract `piiKey: { secret: pii-key }`");
  if (hashed < 0 && contract.piiKey !== undefined)
    report(["contract", "piiKey"], "is for `pii: hash`, and no column has that");
  if (columns.length > 0 && columns.every(({ pii }) => pii === "drop"))
    report(["contract", "columns"], "all are dropped, so SQL would see none");
  const clash = names.findIndex((name) => name?.toLowerCase() === "unknown_columns");
  if (contract.unknownColumns === "keep" && clash >= 0)
    report(
      at(clash, "name"),
      "`unknown_columns` is what SQL calls the columns kept by unknownColumns; choose another name",
    );
}

const goesWith: Partial<Record<keyof ReadableColumn, string[]>> = {
  scale: ["decimal"],
  min: ["integer", "double", "decimal", "date", "timestamp"],
  max: ["integer", "double", "decimal", "date", "timestamp"],
  pattern: ["string"],
  values: ["string"],
  format: ["date", "timestamp"],
  timezone: ["timestamp"],
  decimal: ["double", "decimal"],
  thousands: ["integer", "double", "decimal"],
};

function checkColumn(
  column: ReadableColumn,
  contract: ReadableContract,
  hasHeader: boolean,
  report: (key: string, message: string) => void,
): void {
  const { name, type, from, pattern, reason, timezone } = column;
  for (const [key, types] of Object.entries(goesWith)) {
    const isThere = column[key as keyof ReadableColumn] !== undefined;
    if (isThere && type !== undefined && !types.includes(type)) report(key, `goes with ${listed(types)}, not ${type}`);
  }
  if (type === undefined || (goesWith.min ?? []).includes(type)) checkRange(column, report);
  const problem = typeof pattern === "string" ? patternProblem(pattern) : undefined;
  if (problem !== undefined) report("pattern", `the pattern of ${name ?? "this column"} ${problem}`);
  if (reason !== undefined && pattern === undefined && column.values === undefined)
    report("reason", "is told when pattern or values are not met, and there is neither");
  for (const format of column.format ?? []) {
    const wrong = formatProblem(format);
    if (wrong !== undefined) report("format", `"${format}" ${wrong}`);
  }
  if (timezone !== undefined && !isZone(timezone))
    report("timezone", `"${timezone}" is no time zone of the IANA's, such as America/Sao_Paulo`);
  const [decimal, thousands] = [column.decimal ?? contract.decimal ?? ".", column.thousands ?? contract.thousands];
  const own = column.thousands === undefined ? "decimal" : "thousands";
  if (decimal === thousands && (column.decimal ?? column.thousands) !== undefined)
    report(own, `decimal and thousands are both "${decimal}"; they must differ`);
  if (column.optional === true && column.required === true)
    report("optional", "a column that a file may lack cannot be required in every row; leave out one of the two");
  if (column.optional === true && !hasHeader)
    report("optional", "goes with a header: without one, no column can be told to be missing");
  if (column.unique === true && typeof from === "object")
    report("unique", "the value of a line before the header is the same in every row");
}

const isoDay = /^\d{4}-\d{2}-\d{2}$/;
const isoTime = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})?)?)?$/;

function checkRange({ type, min, max }: ReadableColumn, report: (key: string, message: string) => void): void {
  const expected =
    type === "date"
      ? "a date such as 2020-01-31"
      : type === "timestamp"
        ? "a date and time such as 2020-01-31 12:00:00"
        : "a number";
  const isRight = (value: number | string) => {
    if (type === "integer") return Number.isSafeInteger(value);
    if (type === "date" || type === "timestamp") return typeof value === "string" && isTime(value, type);
    return typeof value === "number";
  };
  let right = true;
  for (const [key, value] of Object.entries({ min, max })) {
    if (value === undefined || type === undefined || isRight(value)) continue;
    right = false;
    report(key, `expected ${type === "integer" ? "a whole number" : expected}, found ${JSON.stringify(value)}`);
  }
  if (!right || min === undefined || max === undefined || typeof min !== typeof max) return;
  const [low, high] = [min, max].map((value) => (typeof value === "number" ? value : timeOf(value)));
  if (low !== undefined && high !== undefined && low > high) report("min", `${min} is above max, ${max}`);
}

/** Milliseconds, of a time without a zone as of UTC. */
const timeOf = (value: string) =>
  Date.parse(/([Z]|[+-]\d{2}:\d{2})$/.test(value) || isoDay.test(value) ? value : `${value.replace(" ", "T")}Z`);

function isTime(value: string, type: string): boolean {
  if (!(type === "date" ? isoDay : isoTime).test(value)) return false;
  const time = timeOf(value);
  // 30 February would become a day of March.
  return !Number.isNaN(time) && Number(value.slice(8, 10)) === new Date(`${value.slice(0, 10)}T00:00:00Z`).getUTCDate();
}

function isZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

const listed = (words: string[]) =>
  words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join();
