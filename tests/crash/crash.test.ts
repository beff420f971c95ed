import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { smallLoad } from "./load.ts";
import { killAll } from "./processor.ts";
import { histogram, runSeries } from "./series.ts";

const SEEDS = 50;

it(`loses nothing and doubles nothing when it is killed: ${SEEDS} seeds`, { timeout: 900_000 }, async () => {
  const base = join(import.meta.dirname, "..", "..", ".cais", "crash");
  await mkdir(base, { recursive: true });
  const folder = await mkdtemp(join(base, "test-"));
  const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1);
  const results = await runSeries({ seeds, load: smallLoad(), folder, atATime: 3 }).finally(() => killAll());
  const wrong = results.filter((result) => result.wrong !== null);
  // The folders of what went wrong are kept, to be looked at.
  expect(wrong).toEqual([]);
  await rm(folder, { recursive: true });
  expect(results.map(({ seed }) => seed)).toEqual(seeds);
  // In which of the tables, and of the rarer steps, is a matter of luck.
  const kinds = Object.keys(histogram(results).steps).map((step) => step.replace(/^(before|after) /, "").split("/")[0]);
  expect(kinds).toEqual(expect.arrayContaining(["no run", "contract", "tables", "merge", "commit", "sinks"]));
});
