import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { RejectedRow, type Run, TableRows, Upload } from "@cais/spec/api.ts";
import { startProcessor } from "@cais/processor/src/main.ts";
import { configOf, ended, engines, readStack, send, testFolder } from "@cais/processor/src/processor-for-tests.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
beforeEach(async () => {
  folder = await testFolder("inmet");
  processor = await startProcessor(configOf(await readStack("inmet")), { engines, dataFolder: folder });
});
afterEach(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

const columns = [
  "DATA",
  "HORA_UTC",
  "PRECIPITACAO_TOTAL",
  "PRESSAO_ATM_EST",
  "PRESSAO_MAX_1H",
  "PRESSAO_MIN_1H",
  "RADIACAO_GLOBAL",
  "TEMPERATURA_BULBO_SECO",
  "TEMPERATURA_PONTO_ORVALHO",
  "TEMPERATURA_MAX_1H",
  "TEMPERATURA_MIN_1H",
  "ORVALHO_MAX_1H",
  "ORVALHO_MIN_1H",
  "UMIDADE_REL_MAX_1H",
  "UMIDADE_REL_MIN_1H",
  "UMIDADE_REL",
  "VENTO_DIRECAO",
  "VENTO_RAJADA_MAX",
  "VENTO_VELOCIDADE",
];

async function ingest(content: string): Promise<Run> {
  const { id } = Upload.parse(await (await send(processor.url, "inmet", content, "inmet.csv")).json());
  return ended(processor.url, id);
}
async function rejected(run: Run): Promise<RejectedRow[]> {
  const lines = await (await fetch(`${processor.url}/v1/runs/${run.id}/rejected`)).text();
  return lines
    .split("\n")
    .filter(Boolean)
    .map((line) => RejectedRow.parse(JSON.parse(line)));
}
async function rain(): Promise<TableRows["data"]> {
  const response = await fetch(`${processor.url}/v1/tables/inmet/rain_by_day?limit=10000`);
  return TableRows.parse(await response.json()).data;
}

/** The cells of the source. Below its header no cell of it is quoted, so this needs no reader of CSV. */
function cellsOf(csv: string): string[][] {
  const lines = csv.trimEnd().split(/\r?\n/).slice(1);
  return lines.map((line) => line.split(","));
}

/** What must have become of a source: counts, every cell of the treated CSV, every day's rain, reckoned from its text alone. */
async function expectTreated(source: string, run: Run): Promise<void> {
  const cells = cellsOf(source);
  const measured = cells.filter((row) => row.slice(2).some((cell) => cell !== ""));
  expect(run).toMatchObject({
    state: "done",
    rows: { read: cells.length, clean: measured.length, rejected: cells.length - measured.length },
  });
  const treated = await readFile(join(folder, "inmet/output/processed/inmet_clean.csv"), "utf8");
  expect(treated.split("\r\n")[0]).toBe(columns.join(","));
  expect(cellsOf(treated)).toEqual(measured);

  const lines = source.split(/\r?\n/);
  const rejectedRows = cells.flatMap((row, n) => (row.slice(2).every((cell) => cell === "") ? [n + 2] : []));
  expect(await rejected(run)).toEqual(
    rejectedRows.map((row) => ({
      row,
      member: null,
      column: null,
      reason: "The row has no measurement.",
      value: null,
      text: lines[row - 1],
    })),
  );

  const days = Map.groupBy(measured, ([day]) => day ?? "");
  const expected = [...days.keys()].toSorted().map((day) => {
    const hours = (days.get(day) ?? []).map((row) => Number(row[2]));
    const wettest = Math.max(...hours);
    const intensity = wettest === 0 ? "none" : wettest <= 2.5 ? "light" : wettest <= 7.6 ? "moderate" : "heavy";
    const tenths = hours.reduce((sum, mm) => sum + Math.round(mm * 10), 0);
    return { day, rain_mm: tenths / 10, hours_measured: hours.length, wettest_hour_mm: wettest, intensity };
  });
  expect(await rain()).toEqual(expected);
}

describe("the sample", () => {
  it("becomes clean rows with the numbers of the source, and rain per day", async () => {
    const source = await readFile(resolve("stacks/inmet/sample.csv"), "utf8");
    const run = await ingest(source);
    expect(run.rows).toEqual({ read: 39, clean: 33, rejected: 6 });
    await expectTreated(source, run);
    expect((await rain()).map(({ intensity }) => intensity)).toEqual(["none", "light", "heavy", "none"]);
  });

  it("in its broken form tells every mistake at its place", async () => {
    const run = await ingest(await readFile(resolve("stacks/inmet/sample.broken.csv"), "utf8"));
    expect(run).toMatchObject({ state: "done", rows: { read: 15, clean: 2, rejected: 13 } });
    const told = (await rejected(run)).map(({ row, column, reason, value }) => [
      row,
      column,
      reason,
      value?.slice(0, 20) ?? null,
    ]);
    expect(told).toEqual([
      [3, "DATA", "is required, but empty", null],
      [4, "DATA", "is not a date (YYYY-MM-DD)", "01/01/2023"],
      [5, "DATA", "is not a date (YYYY-MM-DD)", "2023-02-30"],
      [6, "HORA_UTC", "is not an hour such as 0300 UTC", "25h"],
      [7, "HORA_UTC", "is not an hour such as 0300 UTC", "2400 UTC"],
      [8, "PRECIPITACAO_TOTAL", "is below 0", "-9999"],
      [9, "PRECIPITACAO_TOTAL", "is not a number (with a point, not a comma)", "n/d"],
      [10, "TEMPERATURA_BULBO_SECO", "is not a number (with a point, not a comma)", "22,5"],
      [11, "UMIDADE_REL", "is above 100", "174.0"],
      [11, "VENTO_DIRECAO", "is above 360", "361"],
      [12, null, "The row has no measurement.", null],
      [13, null, "The row has 3 cells where the header has 19.", "2023-01-01,0200 UTC,"],
      [14, null, "The row has 20 cells where the header has 19.", "2023-01-01,0100 UTC,"],
      [15, null, "The row has text after a closing quote.", '"2023-01-01"x,0200 U'],
    ]);
  });
});

const real = resolve("../shared/data/inmet-a309-2023-2024.csv");
it.skipIf(!existsSync(real))(
  "two years of station A309 become 16,381 clean rows of 17,545, each cell as in the source",
  async () => {
    const source = await readFile(real, "utf8");
    const run = await ingest(source);
    expect(run.rows).toEqual({ read: 17_545, clean: 16_381, rejected: 1164 });
    await expectTreated(source, run);
    // One hour is there twice with different values, and both stay.
    const treated = await readFile(join(folder, "inmet/output/processed/inmet_clean.csv"), "utf8");
    expect(treated.match(/^2023-02-15,0300 UTC,/gm)).toHaveLength(2);
  },
);
