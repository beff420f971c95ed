import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Upload } from "@cais/spec/api.ts";
import type { StackConfig } from "@cais/spec/bindings.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Ledger, openLedger } from "../ledger/index.ts";
import { newRunId } from "../ledger/run-id.ts";
import { startProcessor } from "../main.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";
import { rejectedFileKey, tableFileKey } from "../tables/index.ts";
import { payloadKey, turnOf } from "../sinks/index.ts";
import { archiveKey } from "./after.ts";
import { collectGarbage } from "./gc.ts";
import { correctionKey, directKey, uploadKey } from "./input-keys.ts";
import { type OpenStack, openStack } from "./stack.ts";

let folder: string;
let ledger: Ledger | undefined;
beforeEach(async () => {
  folder = await testFolder("gc");
});
afterEach(async () => {
  await ledger?.close();
  await rm(folder, { recursive: true });
});

const TWO_HOURS = 7_200_000;
const later = () => new Date(Date.now() + TWO_HOURS);
type Events = StackConfig["events"];
const config = (events: Events = { driver: "in-process" }) => {
  const upload = { formats: ["csv" as const], maxBytes: 1_000_000, after: "archive" as const };
  const made = configOf(salesStack({ source: { upload } }));
  for (const stack of Object.values(made.stacks)) stack.events = events;
  return made;
};

/** A processor's work: a file in an archive, one with refused rows, and replaced tables. */
async function work(): Promise<void> {
  const { url, stop } = await startProcessor(config(), { engines, dataFolder: folder });
  for (const rows of ["2024-01-01,1,x\n", "2024-01-02,1,x\nnever,2,y\n"]) {
    const { id } = Upload.parse(await (await send(url, "sales", `day,amount,note\n${rows}`)).json());
    expect(await ended(url, id)).toMatchObject({ state: "done" });
  }
  await stop();
}

async function open(events?: Events) {
  const { sales } = config(events).stacks;
  if (sales === undefined) throw new Error("unreachable");
  ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  const stack = await openStack(sales, folder);
  return { stack, ledger, stacks: new Map([["sales", stack]]) };
}

const keys = async (store: ObjectStore) => (await Array.fromAsync(store.list(""))).map(({ key }) => key).toSorted();
const all = async ({ input, lake, output }: OpenStack) =>
  (await Promise.all([input, lake, output].map(keys))).flat().toSorted();
async function put(store: ObjectStore, names: string[]): Promise<string[]> {
  for (const name of names) await store.put(name, new Blob(["12345"]).stream());
  return names;
}

const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1);
const run = () => newRunId(new Date());
const inputOrphans = () => {
  const uploads = ["a.csv", "b.csv.gz", "c"].map((name) => uploadKey(name, new Date()));
  return [...uploads, correctionKey(new Date()), archiveKey(run(), "2024-01-01/São Paulo.csv")];
};
const lakeOrphans = () => {
  const files = [tableFileKey("sold", run(), 1), tableFileKey("gone", `${run()}-0`, 12)];
  return [...files, rejectedFileKey(run(), 2), payloadKey(run(), 3, { as: "parquet" })];
};

it("deletes what a crash left, and says what it was", async () => {
  await work();
  const { stack, stacks, ledger } = await open();
  const before = await all(stack);
  expect(before.filter((key) => key.startsWith("archive/"))).toHaveLength(1);
  expect(before.filter((key) => key.startsWith("rejected-rows/"))).toHaveLength(1);
  const left = [
    ...(await put(stack.input, inputOrphans())).map((key) => ({ store: stack.input.id, key, bytes: 5 })),
    ...(await put(stack.lake, lakeOrphans())).map((key) => ({ store: stack.lake.id, key, bytes: 5 })),
  ];
  const collect = async (dryRun: boolean) =>
    (await collectGarbage({ stacks, ledger, now: later }, { dryRun })).toSorted(byKey);
  expect(await collect(true)).toEqual(left.toSorted(byKey));
  expect(await all(stack)).toHaveLength(before.length + left.length);
  expect(await collect(false)).toEqual(left.toSorted(byKey));
  expect(await all(stack)).toEqual(before);
  expect(await collect(false)).toEqual([]);
});

it("deletes nothing else", async () => {
  await work();
  const { stack, stacks, ledger } = await open();
  // What is somebody else's, or lies where Cais does not write it.
  await put(stack.input, ["rain.csv", "2024-01-01/rain.csv", "corrections/mine.csv", "archive/old.csv"]);
  await put(stack.input, [`x/${uploadKey("a.csv", new Date())}`, ...lakeOrphans()]);
  await put(stack.lake, ["notes.txt", "sold/part-1.parquet", "sold/_delta_log/00000000000000000000.json"]);
  await put(stack.lake, [`sold/part-00001-${run()}.parquet.bak`, ...inputOrphans()]);
  await put(stack.output, [...inputOrphans(), ...lakeOrphans()]);
  // What is noted: an upload in progress, and a replaced file that is not deleted yet.
  for (const [role, key] of [
    ["input", uploadKey("a.csv", new Date())] as const,
    ["lake", lakeOrphans()[0] ?? ""] as const,
  ]) {
    await ledger.loose.note({ stack: "sales", role, key });
    await put(stack[role], [key]);
  }
  // What a stack that is not deployed any more left here, and a correction that was sent.
  const [elsewhere, correction] = [uploadKey("a.csv", new Date()), correctionKey(new Date())];
  await put(stack.input, [elsewhere, correction]);
  const object = { store: "fs:old/input", version: "1", name: "a.csv", bytes: 5, sha256: "x" };
  await ledger.claim({ ...object, stack: "old", key: elsewhere });
  const root = (await ledger.runs({ stack: "sales", limit: 1 }))[0]?.id ?? "";
  await ledger.requeue({ run: root, kind: "replay", correction: { key: correction, sha256: "x", bytes: 5 } });
  // What waits to be delivered.
  const [sink] = stack.sinks;
  if (sink === undefined) throw new Error("unreachable");
  const [waiting = ""] = await put(stack.lake, [payloadKey(run(), 0, { as: "parquet" })]);
  const id = { ...sink, id: "9-csv-other" };
  await ledger.deliveries.add(turnOf("sales", id, { run: root, payloadKey: waiting, rows: 1, bytes: 5 }));
  const before = await all(stack);
  expect(await collectGarbage({ stacks, ledger, now: later }, { dryRun: false })).toEqual([]);
  expect(await all(stack)).toEqual(before);
});

it("leaves what is younger than an hour, whatever the clock was set to", async () => {
  const { stack, stacks, ledger } = await open();
  const [key = ""] = await put(stack.input, inputOrphans());
  const modified = (await stack.input.head(key))?.modifiedAt.getTime() ?? 0;
  const at = (ms: number) =>
    collectGarbage({ stacks, ledger, now: () => new Date(modified + ms) }, { dryRun: true }).then((found) =>
      found.some((garbage) => garbage.key === key),
    );
  const found = await Promise.all([at(0), at(3_599_999), at(-5 * TWO_HOURS), at(3_600_001)]);
  expect(found).toEqual([false, false, false, true]);
});

const secret = { driver: "file", path: "secret" } as const;
it.each<Events>([
  { driver: "monitor", intervalSeconds: 60 },
  { driver: "webhook", secret, fullScanSeconds: 60 },
  { driver: "radosgw", secret, fullScanSeconds: 60 },
])("takes no file of a store that $driver watches, which is to be claimed", async (events) => {
  const { stack, stacks, ledger } = await open(events);
  const files = [uploadKey("a.csv", new Date()), directKey(run(), "a.csv")];
  await put(stack.input, files);
  const others = await put(stack.input, [correctionKey(new Date())]);
  const found = await collectGarbage({ stacks, ledger, now: later }, { dryRun: false });
  expect(found.map(({ key }) => key)).toEqual(others);
  expect(await keys(stack.input)).toEqual(files.toSorted());
});

it("leaves what is claimed while it lists", async () => {
  const { stack, stacks, ledger } = await open();
  const [confirmed = "", left] = await put(stack.input, [directKey(run(), "a.csv"), uploadKey("a.csv", new Date())]);
  const object = { stack: "sales", store: stack.input.id, version: "1", name: "a.csv", bytes: 5, sha256: "x" };
  const list = async function* (prefix: string) {
    yield* stack.input.list(prefix);
    if ((await ledger.runs({ stack: "sales", limit: 1 })).length === 0)
      await ledger.claim({ ...object, key: confirmed });
  };
  stacks.set("sales", { ...stack, input: { ...stack.input, list } });
  const found = await collectGarbage({ stacks, ledger, now: later }, { dryRun: false });
  expect(found.map(({ key }) => key)).toEqual([left]);
  expect(await keys(stack.input)).toEqual([confirmed]);
});
