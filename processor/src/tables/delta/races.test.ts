import { rm } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ObjectStore, openObjectStore } from "../../object-store/index.ts";
import { testFolder } from "../../processor-for-tests.ts";
import { CommitConflict } from "./actions.ts";
import { isCheckpointDue, writeCheckpoint } from "./checkpoint.ts";
import { commit, type Committed } from "./commit.ts";
import { changeOf, fileOf, makeTable, removedOf } from "./delta-for-tests.ts";
import { changesSince, snapshotAt } from "./snapshot.ts";

/** A few seeds here, more with CAIS_RACES; tests/peers/delta has 200 races between processes, and with delta-rs. */
const SEEDS = Number(process.env["CAIS_RACES"] ?? 3);
const WRITERS = 3;
const COMMITS = 8;

let folder: string;
let store: ObjectStore;
beforeAll(async () => {
  folder = await testFolder("delta-races");
  store = await openObjectStore({ driver: "fs", path: "lake" }, folder);
});
afterAll(() => rm(folder, { recursive: true }));

/** The same numbers for the same seed: https://en.wikipedia.org/wiki/Linear_congruential_generator */
function randomOf(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Appends, and now and then replaces a file that others may replace too, each as a transaction. As after a crash between
 * commit and note, some are committed again: those that were written a second time are returned.
 */
async function write(table: string, writer: string, first: Committed, random: () => number) {
  let { head } = first;
  let doubled = 0;
  let conflicts = 0;
  for (let version = 1; version <= COMMITS;) {
    await setTimeout(random() * 3);
    const replaces = random() < 0.3;
    const change = changeOf([`${writer}-${version}`], {
      readVersion: head.version,
      removes: replaces ? [removedOf(fileOf((await newestShared(table)) ?? "none"))] : [],
      blindAppend: !replaces,
      transaction: { appId: writer, version },
    });
    if (replaces) change.adds = [...change.adds, fileOf(`shared-${writer}-${version}`)];
    try {
      const done = await commit(store, table, change, head);
      if (random() < 0.3 && (await commit(store, table, change, head)).applied) doubled++;
      if (isCheckpointDue(done.version)) await checkpointAt(table, done.version);
      ({ head } = done);
      version++;
    } catch (error) {
      if (!(error instanceof CommitConflict)) throw error;
      conflicts++;
      ({ head } = await changesSince(store, table, head));
    }
  }
  return { doubled, conflicts };
}

/** The one file that all writers replace. */
const isShared = (path: string) => path === "first" || path.startsWith("shared");

const newestShared = async (table: string) =>
  [...((await snapshotAt(store, table))?.files.keys() ?? [])].find(isShared);

async function checkpointAt(table: string, version: number): Promise<void> {
  const snapshot = await snapshotAt(store, table, { version });
  if (snapshot !== undefined) await writeCheckpoint(store, table, snapshot);
}

const total = { conflicts: 0 };

it.each(Array.from({ length: SEEDS }, (_, seed) => seed))("loses and doubles no commit in race %i", async (seed) => {
  const table = `race${seed}`;
  const first = await makeTable(store, table);
  const random = randomOf(seed);
  const writers = Array.from({ length: WRITERS }, (_, index) => `w${index}`);
  const written = await Promise.all(writers.map((writer) => write(table, writer, first, random)));
  expect(written.map(({ doubled }) => doubled)).toEqual(writers.map(() => 0));
  total.conflicts += written.reduce((sum, { conflicts }) => sum + conflicts, 0);
  const snapshot = await snapshotAt(store, table);
  expect(snapshot?.version).toBe(WRITERS * COMMITS);
  const files = [...(snapshot?.files.keys() ?? [])];
  const commits = writers.flatMap((writer) => Array.from({ length: COMMITS }, (_, index) => `${writer}-${index + 1}`));
  expect(files.filter((path) => !isShared(path)).toSorted()).toEqual(commits.toSorted());
  // Whoever replaced it, there is one of it.
  expect(files.filter(isShared)).toHaveLength(1);
});

it("made writers meet", () => {
  expect(total.conflicts).toBeGreaterThan(0);
});
