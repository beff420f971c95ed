import { createHmac } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Contract } from "@cais/spec/contract.ts";
import { Reading, Upload } from "@cais/spec/upload.ts";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkContract } from "../engine/contract.ts";
import { readCsv } from "../formats/csv/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import { checkRecords } from "./check.ts";
import { placeColumns } from "./columns.ts";

let folder: string;
beforeAll(async () => {
  folder = await testFolder("pii");
});
afterAll(() => rm(folder, { recursive: true }));

const contract = Contract.parse({
  decimal: ",",
  columns: [
    { name: "day", type: "date" },
    { name: "name", type: "string", pii: "mask" },
    { name: "cpf", type: "string", pii: "hash" },
    { name: "born", type: "date", pii: "hash", format: "%d/%m/%Y" },
    { name: "phone", type: "string", required: true, pii: "drop" },
    { name: "pay", type: "double", pii: "mask", min: 0 },
  ],
  rules: [{ check: "name <> phone", reason: "the name is a number" }],
  piiKey: { secret: "pii-key" },
});
const content =
  "day;name;cpf;born;phone;pay\n2026-01-02;João;123;02/01/1990;99;1,5\n2026-01-03;;;;98;\n2026-01-04;Ana;9;;;2\n2026-01-05;97;9;;97;2\n";

/** What `input` and a bronze table would hold of the rows. */
async function check(key: string, fast: boolean) {
  const own = await mkdtemp(join(folder, "file-"));
  const options = { reading: Reading.parse({}), contract, member: { name: null, index: 0 }, folder: own, tsv: false };
  const piece = Readable.from([Buffer.from(content)]);
  const records = await readCsv(piece, { ...options, fast, fastFrom: 0, numbered: true });
  const connection = await (await DuckDBInstance.create()).connect();
  try {
    const received = { file: "a.csv", run: "r1", receivedAt: "2026-01-01T00:00:00.000Z" };
    const { clean, rejected } = await checkRecords(connection, own, [records], contract, { received, piiKey: key });
    const rows = async (view: string) =>
      (await connection.runAndReadAll(`SELECT * FROM ${view} ORDER BY day`)).getRowObjectsJson();
    return { clean, rejected, input: await rows("input"), received: await rows('"rows as received"') };
  } finally {
    connection.closeSync();
  }
}

const hmac = (key: string, text: string) => createHmac("sha256", key).update(text).digest("hex");

it.each([
  ["x".repeat(32), true],
  ["ç".repeat(40), false],
])(
  "masks, hashes and drops what is personal before tables see it (key %s, plain rows told apart: %s)",
  async (key, fast) => {
    const { clean, rejected, input, received } = await check(key, fast);
    expect({ clean, rejected }).toEqual({ clean: 2, rejected: 2 });
    const seen = [
      { day: "2026-01-02", name: "***", cpf: hmac(key, "123"), born: hmac(key, "1990-01-02"), pay: "***" },
      { day: "2026-01-03", name: null, cpf: null, born: null, pay: null },
    ];
    expect(input).toEqual(seen);
    const from = { _file: "a.csv", _member: null, _run: "r1", _received_at: "2026-01-01 00:00:00" };
    expect(received).toEqual(seen.map((row, index) => ({ ...row, ...from, _row: String(index + 2) })));
  },
);

it("hashes nothing without a key", async () => {
  const { piiKey: _, ...without } = contract;
  const connection = await (await DuckDBInstance.create()).connect();
  const options = { reading: Reading.parse({}), contract, member: { name: null, index: 0 }, folder, tsv: false };
  const records = await readCsv(Readable.from([Buffer.from(content)]), options);
  await expect(checkRecords(connection, folder, [records], without)).rejects.toThrow(
    'The column "cpf" is to be hashed, but there is no key.',
  );
  connection.closeSync();
});

const day = { name: "day", type: "date" as const };
const name = { name: "name", type: "string" as const, pii: "mask" as const };
const badRule = "A rule of the contract failed at a value. It is not told, since the contract has personal data;";

it.each([
  ["a zone", "a.csv", "day,name\n2026-01-02,Ana S\n", "(day::TIMESTAMP AT TIME ZONE name) IS NOT NULL", badRule],
  ["a pattern", "a.csv", "day,name\n2026-01-02,Ana S(\n", "regexp_matches('a', name)", badRule],
  ["an error of its own", "a.csv", "day,name\n2026-01-02,Ana S\n", "error(name) IS NULL", badRule],
  ["keys", "a.ndjson", '{"Ana S": 1}\n', "true", "What its rows have may be personal data and is not told."],
])("tells no value in an error about %s", async (_, file, text, rule, told) => {
  const own = await mkdtemp(join(folder, "told-"));
  await writeFile(join(own, "file"), text);
  const personalContract = Contract.parse({ columns: [day, name], rules: [{ check: rule, reason: "is odd" }] });
  const connection = await (await DuckDBInstance.create()).connect();
  const upload = Upload.parse({ formats: ["csv", "ndjson"] });
  const asked = { folder: own, file: join(own, "file"), name: file, upload, contract: personalContract, replay: null };
  const error: unknown = await checkContract(connection, { do: "contract", ...asked }).catch(
    (thrown: unknown) => thrown,
  );
  connection.closeSync();
  expect(String(error)).toContain(told);
  expect(String(error)).not.toContain("Ana S");
});

it("tells nothing of the lines before the header", () => {
  const from = Contract.parse({ columns: [{ ...name, from: { preamble: "Name" } }, day] });
  expect(() => placeColumns(from, ["day"], { "Ana S": "1" })).toThrow(
    'The lines before the header lack "Name"; what they have may be personal data and is not told.',
  );
});
