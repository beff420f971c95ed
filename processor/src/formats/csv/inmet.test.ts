import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Contract } from "@cais/spec/contract.ts";
import { Reading, Upload } from "@cais/spec/upload.ts";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { checkRecords } from "../../contract/check.ts";
import { openRows } from "../../contract/replay.ts";
import { testFolder } from "../../processor-for-tests.ts";
import { readCsv } from "./index.ts";

let folder: string;
beforeAll(async () => {
  folder = await testFolder("inmet-file");
});
afterAll(() => rm(folder, { recursive: true }));

/** A station's year as INMET's site gives it: its own titles and lines, numbers made up. */
const lines = [
  "REGIAO:;CO",
  "UF:;DF",
  "ESTACAO:;BRASÍLIA",
  "CODIGO (WMO):;A001",
  "LATITUDE:;-15,78944444",
  "LONGITUDE:;-47,92583332",
  "ALTITUDE:;1160,96",
  "DATA DE FUNDACAO:;07/05/00",
  "Data;Hora UTC;PRECIPITAÇÃO TOTAL, HORÁRIO (mm);PRESSAO ATMOSFERICA AO NIVEL DA ESTACAO, HORARIA (mB);RADIACAO GLOBAL (Kj/m²);TEMPERATURA DO AR - BULBO SECO, HORARIA (°C);UMIDADE RELATIVA DO AR, HORARIA (%);VENTO, VELOCIDADE HORARIA (m/s);",
  "2023/01/01;0000 UTC;0;887,7;;20,2;91;,8;",
  "2023/01/01;0100 UTC;,4;888,1;;-,3;93;1,9;",
  "2023/01/01;0200 UTC;-9999;-9999;-9999;-9999;-9999;-9999;",
  "2023/02/30;0300 UTC;0;887,7;;20,2;91;0;",
  "2023/01/01;24h;0;887,7;;20.2;191;0;",
  "2023/01/01;0500 UTC;1,2;887,7;1.204,5;20,2;91;0;",
];

const contract = Contract.parse({
  decimal: ",",
  nulls: ["-9999"],
  columns: [
    { name: "estacao", from: { preamble: "ESTACAO" }, type: "string", required: true },
    { name: "latitude", from: { preamble: "LATITUDE:" }, type: "double", min: -35, max: 6 },
    { name: "fundacao", from: { preamble: "DATA DE FUNDACAO" }, type: "date", format: "%d/%m/%y" },
    { name: "dia", from: "Data", type: "date", format: ["%Y/%m/%d", "%Y-%m-%d"], required: true },
    { name: "hora", from: "Hora UTC", type: "string", pattern: "[0-2][0-9]00 UTC", reason: "is no hour" },
    { name: "chuva", from: "PRECIPITAÇÃO TOTAL, HORÁRIO (mm)", type: "double", min: 0 },
    { name: "temperatura", from: "TEMPERATURA DO AR - BULBO SECO, HORARIA (°C)", type: "decimal", scale: 1 },
    { name: "umidade", from: "UMIDADE RELATIVA DO AR, HORARIA (%)", type: "integer", max: 100 },
    { name: "radiacao", from: "RADIACAO GLOBAL (Kj/m²)", type: "double", thousands: "." },
    { name: "vento", from: "VENTO, VELOCIDADE HORARIA (m/s)", type: "double" },
  ],
});

async function check(content: string, demanded = contract) {
  const own = await mkdtemp(join(folder, "file-"));
  const records = await readCsv(Readable.from([Buffer.from(content, "latin1")]), {
    reading: Reading.parse({}),
    contract: demanded,
    member: { name: null, index: 0 },
    folder: own,
    tsv: false,
    fastFrom: 0,
  });
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run("SET TimeZone = 'UTC'");
  try {
    const { file, found, rejected: rejectedRows } = await checkRecords(connection, own, [records], demanded);
    const open = await openRows(connection, { rejected: file ?? "", correction: null, folder: own });
    expect(open.records.map(({ header, preamble, good }) => [header, preamble, good])).toEqual([
      [records.header, records.preamble, rejectedRows],
    ]);
    const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
    return {
      found,
      clean: await rows("SELECT COLUMNS(*)::VARCHAR FROM input ORDER BY ALL"),
      rejected: await rows(
        `SELECT "row"::INTEGER, text, list_transform(violations, lambda v: concat_ws('|', v."column", v.reason, v.value)) FROM '${file}'`,
      ),
    };
  } finally {
    connection.closeSync();
  }
}

it("reads a file of INMET whole: its encoding, its lines before the header, its numbers, dates and sentinels", async () => {
  const station = ["BRASÍLIA", "-15.78944444", "2000-05-07", "2023-01-01"];
  const { found, clean, rejected } = await check(`${lines.join("\r\n")}\r\n`);
  expect(found).toEqual({ format: "csv", encoding: "windows-1252", delimiter: ";" });
  expect(clean).toEqual([
    [...station, "0000 UTC", "0.0", "20.2", "91", null, "0.8"],
    [...station, "0100 UTC", "0.4", "-0.3", "93", null, "1.9"],
    [...station, "0200 UTC", null, null, null, null, null],
    [...station, "0500 UTC", "1.2", "20.2", "91", "1204.5", "0.0"],
  ]);
  expect(rejected).toEqual([
    [13, lines[12], ["dia|is not a date (%Y/%m/%d or %Y-%m-%d)|2023/02/30"]],
    [
      14,
      lines[13],
      [
        "hora|is no hour|24h",
        "temperatura|is not a number such as 1234,5, with at most 1 digit after the comma|20.2",
        "umidade|is above 100|191",
      ],
    ],
  ]);
});

it("refuses the whole file where a value before the header is not as demanded, or not there", async () => {
  const without = (label: string) => lines.filter((line) => !line.startsWith(label)).join("\n");
  await expect(check(without("ESTACAO"))).rejects.toThrow(
    'The lines before the header lack "ESTACAO"; they have "REGIAO", "UF", "CODIGO (WMO)", "LATITUDE", "LONGITUDE", "ALTITUDE", "DATA DE FUNDACAO".',
  );
  await expect(check(lines.join("\n").replace("-15,78944444", "-95,7"))).rejects.toThrow(
    'The value of "LATITUDE:" before the header is below -35: "-95,7".',
  );
});

it("does what the page about the contract says of its example", async () => {
  const page = await readFile("docs/contract.md", "utf8");
  const [example = "", told = ""] = [/```yaml\n([^]*?)```/, /```\n(\{"row"[^]*?)```/].map(
    (block) => block.exec(page)?.[1],
  );
  const Example = z.object({ source: z.object({ upload: Upload }), contract: Contract });
  const stack = Example.parse(parse(example));
  const rows = [
    "2023/01/01;0000 UTC;,8",
    "2023-01-01;0100 UTC;-9999",
    "2023/01/01;0200 UTC;1,2",
    "2023/02/30;0300 UTC;0",
  ];
  const { clean, rejected } = await check(
    [
      ...lines.slice(0, 8),
      "Data;Hora UTC;PRECIPITAÇÃO TOTAL, HORÁRIO (mm);",
      ...rows,
      "2023/01/01;0400 UTC;20.2",
      rows[2],
    ]
      .map((line, index) => (index > 8 ? `${line};` : line))
      .join("\n"),
    stack.contract,
  );
  expect(clean).toEqual([
    ["BRASÍLIA", "2023-01-01", "0000 UTC", "0.8"],
    ["BRASÍLIA", "2023-01-01", "0100 UTC", null],
    ["BRASÍLIA", "2023-01-01", "0200 UTC", "1.2"],
  ]);
  const expected = told
    .trim()
    .split("\n")
    .map((line) =>
      z
        .object({ row: z.number(), column: z.string().nullable(), reason: z.string(), value: z.string().nullable() })
        .parse(JSON.parse(line)),
    );
  expect(rejected.map(([row, , violations]) => [row, violations])).toEqual(
    expected.map(({ row, column, reason, value }) => [
      row,
      [[column, reason, value].filter((part) => part !== null).join("|")],
    ]),
  );
});
