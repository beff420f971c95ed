import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Contract } from "@cais/spec/contract.ts";
import { Reading } from "@cais/spec/upload.ts";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readCsv } from "../formats/csv/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import { checkRecords } from "./check.ts";
import { Unreadable } from "./records.ts";

let folder: string;
let connection: DuckDBConnection;
beforeAll(async () => {
  folder = await testFolder("paths");
  connection = await (await DuckDBInstance.create(":memory:", { threads: "1" })).connect();
  await connection.run("SET TimeZone = 'UTC'");
});
afterAll(async () => {
  connection.closeSync();
  await rm(folder, { recursive: true });
});

/** Numbers from a seed (mulberry32), so that a failure can be seen again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const cells = [
  "|0|1|-1|+1|007|-0|42|43|100|100.5|101|1,5|100,5|,8|.8|8,|8.|-,|-|1e3|1.234|1.234,5|1,234.5|1.23|1.234567",
  "123456789012345|1234567890123456|9223372036854775807|9223372036854775808|0,1234567890123456789|NaN|inf|0x1F|1_0",
  "2024-02-29|2023-02-29|2024-02-28|0999-01-01|2023-13-01|2024-1-5|2024/02/28|28/02/2024|30/02/2024|01/01/0024|2023-05-31",
  "2024-02-28 10:11:12|2024-02-28T10:11:12Z|2024-02-28 25:00:00|2024-02-28 10:11|2018-11-04 00:30:00",
  "true|FALSE|True|t|-9999|-9999,0|-99990|NULL|NULLS|NULL | NULL| -9999 |-9999 |N|NULL",
  " |\u{A0}|\t x| 5 |5 |\u{A0}5|ação|Água|\u{2003}|a b|''|x;y|x,y|x\ty|#|\\|'",
  '"|""|say "hi"|x"|two\nlines|two\r\nlines|\r|\0|\u{FEFF}|\u{1F600}',
].flatMap((some) => some.split("|"));

const column = (name: string, more: object): { name: string } => ({ name, ...more });

/** A contract with some of all that one may ask. */
function anyContract(below: (n: number) => number) {
  const chosen = <T>(items: T[]): T => items[below(items.length)] as T;
  const range = () => chosen([{}, {}, { min: 0 }, { max: 100 }, { min: -1, max: 100.5 }]);
  const whole = () => chosen([{}, { min: 0 }, { max: 42 }]);
  const required = () => chosen([{}, {}, { required: true }]);
  const decimal = chosen([".", ","]);
  const columns = [
    column("s", {
      type: "string",
      ...required(),
      ...chosen([{}, {}, { pattern: "[^0-9]*" }, { values: ["x;y", "N", "42"] }]),
    }),
    column("i", { type: "integer", ...required(), ...whole() }),
    column("n", { type: "double", ...required(), ...range() }),
    column("p", { type: "decimal", scale: chosen([0, 2, 5]), ...required(), ...range() }),
    column("b", { type: "boolean", ...required() }),
    column("d", {
      type: "date",
      ...required(),
      ...chosen([{}, { min: "2023-06-01" }, { format: "%d/%m/%Y" }, { format: ["%Y/%m/%d", "%Y-%m-%d"] }]),
    }),
    column("t", {
      type: "timestamp",
      ...chosen([{}, { format: "%Y-%m-%d %H:%M:%S" }, { timezone: "America/Sao_Paulo" }, { min: "2024-01-01" }]),
    }),
  ];
  const some = columns.filter(() => below(4) > 0);
  const taken = some.length === 0 ? columns : some;
  const first = taken[0]?.name ?? "s";
  return Contract.parse({
    columns: taken.map((each) => (below(12) === 0 ? { ...each, unique: true } : each)),
    decimal,
    thousands: chosen(["", "", decimal === "," ? "." : ","]),
    nulls: chosen([[], [], ["-9999", "NULL"]]),
    unknownColumns: chosen(["drop", "keep"]),
    rules: chosen([[], [{ check: `${first}::VARCHAR <> '2'`, reason: "two" }]]),
  });
}

function anyFile(below: (n: number) => number, contract: Contract): string {
  const chosen = <T>(items: T[]): T => items[below(items.length)] as T;
  const delimiter = chosen([",", ";", "\t", "|"]);
  const end = chosen(["\n", "\r\n"]);
  const titles = [...contract.columns.map(({ name }) => name), ...chosen([[], ["x"], ["x", "x", ""]])].toSorted(
    () => below(3) - 1,
  );
  const tail = chosen(["", "", delimiter]);
  const good: Record<string, string[]> = {
    s: ["a", "b", "x;y"],
    i: ["1", "2", "33"],
    n: ["1", "2", contract.decimal === "," ? "3,5" : "3.5"],
    p: ["1", "22"],
    b: ["true", "0"],
    d: ["2024-02-28", "28/02/2024", "2024/02/28"],
    t: ["2024-02-28 10:11:12"],
  };
  const written = (cell: string) => {
    const must = cell.includes(delimiter) || /[\n\r]/.test(cell) || cell.startsWith('"');
    return (must && below(20) > 0) || below(8) === 0 ? `"${cell.replaceAll('"', '""')}"` : cell;
  };
  const rows = Array.from({ length: 150 }, () => {
    // One untidy cell in a row: of several, the first would hide the others.
    const untidy = below(2 * titles.length);
    const row = titles.map((title, index) => written(chosen(index === untidy ? cells : (good[title] ?? ["u", ""]))));
    if (below(150) === 0) row.pop();
    if (below(150) === 0) row.push("more");
    return row.join(delimiter) + tail;
  });
  const last = chosen(["", end]);
  return `${[titles.join(delimiter) + tail, ...rows].join(below(30) === 0 ? "\n" : end)}${last}`;
}

async function checked(content: Buffer, contract: Contract, fast: boolean, pieces: number) {
  const own = await mkdtemp(join(folder, "run-"));
  const options = { reading: Reading.parse({}), contract, member: { name: null, index: 0 }, folder: own, tsv: false };
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += pieces) parts.push(content.subarray(at, at + pieces));
  try {
    const records = await readCsv(Readable.from(parts), { ...options, fast, fastFrom: 0 });
    const { file, ...counts } = await checkRecords(connection, own, [records], contract);
    const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
    const clean = await rows("SELECT COLUMNS(*)::VARCHAR FROM input ORDER BY ALL");
    const rejected = file === null ? [] : await rows(`SELECT * FROM '${file}'`);
    await connection.run("DROP VIEW input");
    return { result: { ...counts, clean, rejected }, plain: records.plain?.rows ?? 0 };
  } catch (error) {
    if (error instanceof Unreadable) return { result: error.message, plain: 0 };
    throw error;
  } finally {
    await rm(own, { recursive: true });
  }
}

const seeds = Number(process.env["CAIS_SEEDS"] ?? 40);

it(
  "gives the same rows, refused rows and reasons whether plain rows are told apart or not",
  { timeout: 280_000 },
  async () => {
    let plain = 0;
    let refused = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const below = random(seed);
      const contract = anyContract(below);
      const content = Buffer.from(anyFile(below, contract), below(6) === 0 ? "latin1" : "utf8");
      const fast = await checked(content, contract, true, below(2) === 0 ? 777 : content.length);
      const careful = await checked(content, contract, false, content.length);
      expect(careful.plain).toBe(0);
      expect({ seed, result: fast.result }).toEqual({ seed, result: careful.result });
      plain += fast.plain;
      refused += typeof fast.result === "string" ? 0 : fast.result.rejected.length;
    }
    // Both ways were gone.
    expect(plain).toBeGreaterThan(seeds * 5);
    expect(refused).toBeGreaterThan(seeds * 5);
  },
);
