import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Contract } from "@cais/spec/contract.ts";
import { Reading } from "@cais/spec/upload.ts";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readCsv } from "../formats/csv/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import { checkRecords } from "./check.ts";
import { type SmallChecks, smallChecks } from "./small.ts";

let folder: string;
let instance: DuckDBInstance;
beforeAll(async () => {
  folder = await testFolder("small");
  instance = await DuckDBInstance.create(":memory:", { threads: "1" });
});
afterAll(async () => {
  instance.closeSync();
  await rm(folder, { recursive: true });
});

const contract = Contract.parse({
  columns: [
    { name: "id", type: "integer", required: true, unique: true },
    { name: "s", type: "string", optional: true },
  ],
  unknownColumns: "keep",
  rules: [{ check: "s::DATE IS NOT NULL", reason: "no date" }],
});

/** A run as the engine's process does it: with a connection of its own. */
async function run(content: string, small?: SmallChecks, asked = contract) {
  const own = await mkdtemp(join(folder, "run-"));
  const connection = await instance.connect();
  const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
  try {
    const member = { name: null, index: 0 };
    const options = { reading: Reading.parse({}), contract: asked, member, folder: own, tsv: false };
    const records = await readCsv(Readable.from([Buffer.from(content)]), options);
    const { file, ...counts } = await checkRecords(connection, own, [records], asked, { small });
    const clean = await rows("SELECT COLUMNS(*)::VARCHAR FROM input");
    return { ...counts, clean, rejected: file === null ? [] : await rows(`SELECT * FROM '${file}'`) };
  } finally {
    connection.closeSync();
    await rm(own, { recursive: true });
  }
}

const files = [
  "id,s\n1,2024-01-01\n2,2024-01-02\nx,2024-01-03\n",
  "id,s\n7,2024-01-01\n7,2024-01-02\n8,\n9,1,2\n",
  'id,s,more\n1,2024-01-01,"a ""b"""\n,2024-01-02,c\n',
  "id,s\n3,2024-01-01\n",
  "more;id\nu;5\nv;w\n",
  'id,s\n1,2024-01-01\n\n1,"2024-01-01"\n',
];

it("gives the same for one file after the other, whatever their headers, as for each alone", async () => {
  const small = smallChecks(instance);
  for (const content of [...files, ...files.toReversed(), ...files])
    expect(await run(content, small)).toEqual(await run(content));
  small.close();
});

it("takes files that differ in the columns that the contract drops", async () => {
  const small = smallChecks(instance);
  const drop = Contract.parse({ ...contract, unknownColumns: "drop" });
  for (const content of ["id,s\n1,2024-01-01\n", "id,s,more\n2,2024-01-01,x\nz,,y\n", "id,s\n3,\n"])
    expect(await run(content, small, drop)).toEqual(await run(content, undefined, drop));
  small.close();
});

it("goes on after a file in which a rule cannot be asked", async () => {
  const small = smallChecks(instance);
  const [good = ""] = files;
  for (const content of [good, good]) {
    await run(content, small);
    await expect(run("id,s\n1,no date\n", small)).rejects.toThrow("no date");
    await expect(run("id,s\n1,no date\n", small)).rejects.toThrow("no date");
    expect(await run(good, small)).toEqual(await run(good));
  }
  small.close();
});
