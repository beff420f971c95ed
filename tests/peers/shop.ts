import type { Stack } from "@cais/spec/stack.ts";
import type { z } from "zod";

/**
 * A stack with a table of every kind, its files, and what its tables must hold after them: reckoned here from what the files
 * were made of, in the form in which referees answer.
 */

/** A row of a file as its cells are written; null is an empty one. */
interface Sale {
  id: number;
  day: string;
  shop: string | null;
  amount: number | null;
  price: string | null;
  sold_at: string | null;
  open: boolean | null;
  note: string | null;
}

export type Plain = Record<string, unknown>;

const days = ["1969-12-31", "2024-02-29", "2026-01-01", "2026-01-02"];
/** What must not be taken for anything but a text, as a partition's value too. */
const shops = ["Loja 1", "São Paulo/SP", "a=b %20&?", "../x", "null", "__HIVE_DEFAULT_PARTITION__", null];
const amounts = [0.1, -1.5, 0.30000000000000004, 1e300, 5e-324, 1234567.891, null];
const prices = ["0.00", "1.50", "-2.05", "9999999999999999.99", null];
const times = ["1965-03-04 05:06:07.000008", "2026-01-01 00:00:00.000000", "2026-06-01 12:30:00.123456", null];
const notes = [
  "plain",
  'quoted "x", comma; and\nline',
  "longer than the thirty-two characters of a statistic",
  "=1+1",
  "🌳 ñ ç",
  null,
];

/** The n-th file's rows. Ids come back in later files. */
export function salesOf(n: number): Sale[] {
  const pick = <T>(from: readonly T[], step: number): T => from[(n * 5 + step) % from.length] as T;
  return Array.from({ length: 12 }, (_, row) => ({
    id: ((n * 7 + row * 3) % 40) + (row === 0 ? 2 ** 53 : 0),
    day: pick(days, row),
    shop: pick(shops, row * 3),
    amount: pick(amounts, row * 2),
    price: pick(prices, row * 7),
    sold_at: pick(times, row * 5),
    open: pick([true, false, null], row),
    note: pick(notes, row * 11),
  }));
}

const cell = (value: string | number | boolean | null) =>
  value === null ? "" : `"${String(value).replaceAll('"', '""')}"`;

export function csvOf(sales: Sale[], extra?: string): string {
  const header = [
    "id",
    "day",
    "shop",
    "amount",
    "price",
    "sold_at",
    "open",
    "note",
    ...(extra === undefined ? [] : ["extra"]),
  ];
  const lines = sales.map(({ id, day, shop, amount, price, sold_at, open, note }) =>
    [id, day, shop, amount, price, sold_at, open, note, ...(extra === undefined ? [] : [extra])].map(cell).join(","),
  );
  return `${header.join(",")}\n${lines.join("\n")}\n`;
}

type Columns = z.input<typeof Stack>["contract"]["columns"];

/** With `evolved`, files may have a column more, and two tables take it. */
export function shopStack({ evolved = false } = {}): { stack: z.input<typeof Stack>; sql: Record<string, string> } {
  const extra: Columns = evolved ? [{ name: "extra", type: "string", optional: true }] : [];
  return {
    stack: {
      name: "shop",
      owner: "tests",
      environments: ["dev"],
      source: { upload: { formats: ["csv"], maxBytes: 1_000_000 } },
      contract: {
        columns: [
          { name: "id", type: "integer", required: true },
          { name: "day", type: "date", required: true },
          { name: "shop", type: "string" },
          { name: "amount", type: "double" },
          { name: "price", type: "decimal" },
          { name: "sold_at", type: "timestamp" },
          { name: "open", type: "boolean" },
          { name: "note", type: "string" },
          ...extra,
        ],
      },
      tables: [
        { name: "received", layer: "bronze" },
        { name: "sold", layer: "silver", sql: "sold.sql", disposition: "append" },
        { name: "by_shop", layer: "silver", sql: "by_shop.sql", disposition: "append", partitionBy: ["shop", "day"] },
        {
          name: "by_values",
          layer: "silver",
          sql: "by_values.sql",
          disposition: "append",
          partitionBy: ["sold_at", "price", "open", "amount"],
        },
        { name: "stock", layer: "silver", sql: "stock.sql", disposition: "merge", key: ["id"] },
        { name: "nested", layer: "silver", sql: "nested.sql", disposition: "append" },
        { name: "days", layer: "gold", sql: "days.sql", disposition: "replace" },
        {
          name: "newest",
          layer: "gold",
          sql: "newest.sql",
          disposition: "replace",
          partitionBy: ["day"],
          replace: "partitions",
        },
      ],
    },
    sql: {
      "sold.sql": "SELECT * FROM input",
      "by_shop.sql": "SELECT shop, day, id, amount FROM input",
      "by_values.sql": "SELECT id, sold_at, abs(price) AS price, open, amount FROM input",
      "stock.sql": "SELECT * FROM input",
      "nested.sql":
        "SELECT id, [shop, note] AS words, {'price': price, 'open': open} AS pair, MAP {'day': day} AS dated, " +
        "CASE WHEN id % 3 = 0 THEN 'NaN'::DOUBLE WHEN id % 3 = 1 THEN '-Infinity'::DOUBLE END AS odd FROM input",
      "days.sql": "SELECT day, count(*) AS sales, sum(price) AS prices, max(sold_at) AS last FROM sold GROUP BY day",
      "newest.sql": "SELECT day, count(*) AS sales, min(note) AS note FROM input GROUP BY day",
    },
  };
}

/** The Delta types of the tables' columns. */
export const types: Record<string, Record<string, unknown>> = {
  sold: {
    id: "long",
    day: "date",
    shop: "string",
    amount: "double",
    price: "decimal(18,2)",
    sold_at: "timestamp",
    open: "boolean",
    note: "string",
  },
  by_shop: { shop: "string", day: "date", id: "long", amount: "double" },
  by_values: { id: "long", sold_at: "timestamp", price: "decimal(18,2)", open: "boolean", amount: "double" },
  days: { day: "date", sales: "long", prices: "decimal(38,2)", last: "timestamp" },
  newest: { day: "date", sales: "long", note: "string" },
};

const plainOf = ({ id, ...sale }: Sale): Plain => ({ id: String(id), ...sale });
const centsOf = (price: string | null) => (price === null ? 0n : BigInt(price.replace(".", "")));
const textOfCents = (sum: bigint) =>
  `${sum < 0n ? "-" : ""}${String(sum < 0n ? -sum : sum).padStart(3, "0")}`.replace(/(..)$/, ".$1");
const byBytes = (texts: (string | null)[]) =>
  texts.filter((text) => text !== null).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

/** The rows of each table after these files, in no order. */
export function expectedOf(files: Sale[][]): Record<string, Plain[]> {
  const all = files.flat();
  const newest = new Map<string, Plain>();
  for (const sales of files)
    for (const [day, own] of Map.groupBy(sales, (sale) => sale.day))
      newest.set(day, { day, sales: String(own.length), note: byBytes(own.map(({ note }) => note))[0] ?? null });
  return {
    sold: all.map(plainOf),
    by_shop: all.map(({ shop, day, id, amount }) => ({ shop, day, id: String(id), amount })),
    // Without a sign, because delta-rs 1.6.6 reads the partition -2.05 as `-2.-5`, and refuses that.
    by_values: all.map(({ id, sold_at, price, open, amount }) => ({
      id: String(id),
      sold_at,
      price: price?.replace("-", "") ?? null,
      open,
      amount,
    })),
    stock: [...new Map(all.map((sale) => [sale.id, plainOf(sale)])).values()],
    nested: all.map(({ id, shop, note, price, open, day }) => ({
      id: String(id),
      words: [shop, note],
      pair: { price, open },
      dated: [["day", day]],
      odd: ["nan", "-inf", null][id % 3] ?? null,
    })),
    days: [...Map.groupBy(all, ({ day }) => day)].map(([day, own]) => ({
      day,
      sales: String(own.length),
      prices: own.every(({ price }) => price === null)
        ? null
        : textOfCents(own.reduce((sum, { price }) => sum + centsOf(price), 0n)),
      last: byBytes(own.map(({ sold_at }) => sold_at)).at(-1) ?? null,
    })),
    newest: [...newest.values()],
  };
}

/** The same rows in one order. */
export function inOrder(rows: Plain[]): Plain[] {
  const text = (row: Plain) => JSON.stringify(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return rows
    .map((row) => ({ row, text: text(row) }))
    .toSorted((a, b) => (a.text < b.text ? -1 : Number(a.text > b.text)))
    .map(({ row }) => row);
}
