import { fork } from "node:child_process";
import { once } from "node:events";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type ObjectStore, openObjectStore } from "@cais/processor/src/object-store/index.ts";
import { testFolder } from "@cais/processor/src/processor-for-tests.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Referee, startReferee } from "../referee.ts";
import { makeTable, type Race, raced, rowsOf } from "./writer.ts";

const RACES = Number(process.env["CAIS_RACES"] ?? 200);
const COMMITS = 4;

let folder: string;
let store: ObjectStore;
let referee: Referee;
let one: Awaited<ReturnType<typeof startWriter>>;
let two: Awaited<ReturnType<typeof startWriter>>;
beforeAll(async () => {
  folder = await testFolder("races");
  store = await openObjectStore({ driver: "fs", path: "lake" }, folder);
  referee = startReferee(process.env["CAIS_PYTHON"] ?? "python3", [join(import.meta.dirname, "referee.py")]);
  [one, two] = await Promise.all([startWriter("one"), startWriter("two")]);
});
afterAll(async () => {
  one.stop();
  two.stop();
  await referee.stop();
  await rm(folder, { recursive: true });
});

/** A writer of ours, a process of its own, that has opened the store. */
async function startWriter(name: string) {
  const child = fork(join(import.meta.dirname, "writer.ts"), [folder, name]);
  const ended = once(child, "exit").then(() => {
    throw new Error(`The writer ${name} ended; its messages are above.`);
  });
  ended.catch(() => undefined);
  expect(await Promise.race([once(child, "message"), ended])).toEqual(["ready", undefined]);
  return {
    async race(race: Race) {
      child.send(race);
      const [counts]: unknown[] = await Promise.race([once(child, "message"), ended]);
      return raced.parse(counts);
    },
    stop: () => child.disconnect(),
  };
}

/** That each row of both writers is in the table once, by our reading and delta-rs's, and that the log has no gap. */
async function expectWhole(table: string, names: string[]): Promise<number> {
  const expected = names.flatMap((name) => Array.from({ length: COMMITS }, (_, n) => `${name} ${n}`)).toSorted();
  const own = (await rowsOf(store, table)).map(({ writer, n }) => `${writer} ${n}`);
  expect(own.toSorted()).toEqual(expected);
  const { rows, version } = await referee.read(store.location(table));
  expect(rows.map((row) => `${String(row["writer"])} ${String(row["n"])}`).toSorted()).toEqual(expected);
  const log = await readdir(join(store.location(table), "_delta_log"));
  const versions = log.filter((name) => /^\d{20}\.json$/.test(name)).map((name) => Number(name.slice(0, 20)));
  expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: version + 1 }, (_, n) => n));
  return version;
}

it(`loses no commit in ${RACES} races of two writers of ours`, { timeout: 300_000 }, async () => {
  const met = { rearranged: 0, conflicts: 0, checkpoints: 0 };
  for (let seed = 0; seed < RACES; seed++) {
    const table = `ours-${seed}`;
    await makeTable(store, table);
    const done = await Promise.all(
      [one, two].map((writer, n) => writer.race({ table, commits: COMMITS, seed: seed * 2 + n })),
    );
    const version = await expectWhole(table, ["one", "two"]);
    for (const { rearranged, conflicts } of done) {
      met.rearranged += rearranged;
      met.conflicts += conflicts;
    }
    // The table's making, every append and every rearrangement is a version of its own.
    expect(version).toBe(2 * COMMITS + done.reduce((sum, { rearranged }) => sum + rearranged, 0));
    if (version >= 10) met.checkpoints++;
  }
  // Else the writers were not in each other's way, and the races say nothing.
  expect(met.rearranged).toBeGreaterThan(RACES / 10);
  expect(met.conflicts).toBeGreaterThan(RACES / 20);
  expect(met.checkpoints).toBeGreaterThan(0);
});

it(`loses no commit in ${RACES} races of a writer of ours and delta-rs`, { timeout: 300_000 }, async () => {
  let rearranged = 0;
  for (let seed = 0; seed < RACES; seed++) {
    const table = `delta-rs-${seed}`;
    await makeTable(store, table);
    const [counts] = await Promise.all([
      one.race({ table, commits: COMMITS, seed }),
      referee.race(store.location(table), { writer: "delta-rs", commits: COMMITS, seed }),
    ]);
    rearranged += counts.rearranged;
    expect(await expectWhole(table, ["one", "delta-rs"])).toBe(2 * COMMITS + counts.rearranged);
  }
  expect(rearranged).toBeGreaterThan(RACES / 10);
});
