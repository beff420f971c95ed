import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Contract } from "@cais/spec/contract.ts";
import { Reading } from "@cais/spec/upload.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openDuckDB } from "../engine/duckdb.ts";
import { readCsv } from "../formats/csv/index.ts";
import { readNdjson } from "../formats/ndjson.ts";
import { keyedRecords } from "../formats/keyed.ts";
import { testFolder } from "../processor-for-tests.ts";
import { checkRecords } from "./check.ts";
import { openRows } from "./replay.ts";

let folder: string;
beforeAll(async () => {
  folder = await testFolder("long-rows");
});
afterAll(() => rm(folder, { recursive: true }));

const contract = Contract.parse({
  columns: [
    { name: "a", type: "integer" },
    { name: "b", type: "string" },
  ],
});
const LONG = 990_000;
const text = Buffer.alloc(LONG, "x").toString();
const member = { name: null, index: 0 };

/** Refuses `count` long rows among short ones, in an engine of little memory. */
async function refuse(kind: "csv" | "quoted" | "ndjson" | "ragged", count: number) {
  const own = await mkdtemp(join(folder, "file-"));
  const { instance, connection } = await openDuckDB(own, { memoryBytes: 128e6, tempBytes: 1e9, threads: 1 });
  const row = (long: boolean) => {
    const b = long ? text : "short";
    if (kind === "ndjson") return `{"a":"z","b":"${b}"}\n`;
    return kind === "csv" ? `z,${b}\n` : kind === "quoted" ? `z,"${b}\n"\n` : `z,${b},3\n`;
  };
  function* content() {
    if (kind !== "ndjson") yield Buffer.from("a,b\n");
    for (let number = 0; number < count; number++) yield Buffer.from(row(true) + row(false));
  }
  try {
    const source = Readable.from(content());
    const records =
      kind === "ndjson"
        ? await keyedRecords({ contract, member, folder: own }, { format: "ndjson" }, (rows) =>
            readNdjson(source, rows),
          )
        : await readCsv(source, { reading: Reading.parse({}), contract, member, folder: own, tsv: false });
    const { file, ...counts } = await checkRecords(connection, own, [records], contract);
    const rows = await connection.runAndReadAll(
      `SELECT "row"::INTEGER, length(text)::INTEGER, len(cells)::INTEGER, violations[1].reason FROM '${file}'`,
    );
    const open = await openRows(connection, { rejected: file ?? "", correction: null, folder: own });
    return { counts, rows: rows.getRows(), replayed: open.records.map(({ good }) => good), kept: open.keptRows };
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(own, { recursive: true });
  }
}

const whole = "is not a whole number of at most 64 bits";
const counts = (rejected: number) => expect.objectContaining({ read: rejected, clean: 0, rejected });

it("refuses many long rows within its memory, and keeps them cut", async () => {
  const { rows, replayed, kept, ...found } = await refuse("csv", 75);
  expect(found.counts).toEqual(counts(150));
  expect(rows).toHaveLength(150);
  expect(rows.slice(0, 2)).toEqual([
    [2, 4000, null, whole],
    [3, "z,short".length, 2, whole],
  ]);
  expect(rows.map(([number]) => number)).toEqual(Array.from({ length: 150 }, (_, index) => index + 2));
  // The cut ones stay open: the received file has them whole.
  expect([replayed, kept]).toEqual([[75], 75]);
});

it.each(["quoted", "ndjson", "ragged"] as const)("does so too where they are %s", async (kind) => {
  const { rows, ...found } = await refuse(kind, 75);
  expect(found.counts).toEqual(counts(150));
  expect(rows).toHaveLength(150);
  expect(rows[148]?.[1]).toBe(4000);
});

it("keeps a few long rows whole", async () => {
  const { rows, replayed, kept } = await refuse("csv", 10);
  expect(rows[0]).toEqual([2, LONG + 2, 2, whole]);
  expect([replayed, kept]).toEqual([[20], 0]);
});
