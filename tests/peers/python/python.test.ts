import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Run } from "@cais/spec/api.ts";
import { readStack } from "@cais/spec/read-stack.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { cais, scratch, start, sweep, type Started } from "../../start.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const folder = join(root, "stacks", "inmet");
const real = join(root, "..", "shared", "data", "inmet-a309-2023-2024.csv");
const sources = [join(folder, "sample.csv"), ...(existsSync(real) ? [real] : [])];

let data: string;
let processor: Started;
beforeAll(async () => {
  data = await scratch("python");
});
afterAll(() => sweep(data));

it.each(sources)(
  "pyarrow finds every clean row of %s in the table and in the treated CSV, and no other",
  async (source) => {
    const own = join(data, String(sources.indexOf(source)));
    processor = await start(own);
    try {
      const { stdout } = await cais(["ingest", "inmet", source, "--wait", "--json", "--url", processor.url]);
      const run = Run.parse(JSON.parse(stdout));
      const at = (kind: string, name: string) =>
        run.outputs.find((output) => output.kind === kind && output.name === name)?.location ?? "";
      const columns = readStack(folder).stack.contract.columns.map(({ name, from, type }) => ({
        name,
        from: from ?? name,
        type,
      }));
      const referee = await promisify(execFile)(process.env["CAIS_PYTHON"] ?? "python3", [
        join(import.meta.dirname, "referee.py"),
        source,
        JSON.stringify(columns),
        at("table", "inmet"),
        at("csv", "inmet"),
        at("table", "rain_by_day"),
      ]);
      const found = JSON.parse(referee.stdout) as Record<string, number>;
      expect(found).toEqual({
        read: run.rows.read,
        clean: run.rows.clean,
        table: run.rows.clean,
        tableDiffers: 0,
        csv: run.rows.clean,
        csvDiffers: 0,
        days: found["days"],
        daysDiffer: 0,
      });
      expect(found["days"]).toBeGreaterThan(0);
    } finally {
      await processor.stop();
    }
  },
);
