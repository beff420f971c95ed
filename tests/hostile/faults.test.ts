import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rename, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Problem } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { send } from "../../processor/src/processor-for-tests.ts";
import { idle, listening, prepare, stopWell } from "../crash/chain.ts";
import { type Acknowledged, isPublished, sendAll } from "../crash/client.ts";
import { smallLoad } from "../crash/load.ts";
import { killAll, startProcessor } from "../crash/processor.ts";
import { compare, type Result, resultOf } from "../crash/result.ts";

const run = promisify(execFile);
const load = smallLoad();
/** Mounting needs root, and Linux' own commands. */
const mayMount = process.platform === "linux" && process.getuid?.() === 0;

let folder: string;
let mounted: string[];

beforeEach(async () => {
  const base = join(import.meta.dirname, "..", "..", ".cais", "crash");
  await mkdir(base, { recursive: true });
  folder = await mkdtemp(join(base, "fault-"));
  mounted = [];
  await prepare(folder, load);
});

afterEach(async () => {
  killAll(folder);
  for (const path of mounted.toReversed()) await run("umount", ["--lazy", path]);
  await rm(folder, { recursive: true, force: true });
});

async function mount(path: string, args: string[]): Promise<void> {
  await mkdir(path, { recursive: true });
  await run("mount", [...args, path]);
  mounted.push(path);
}

/** Waits until all that was sent is done, and gives what came of it; the CSV and the tables agree, or it throws. */
async function result(child: Awaited<ReturnType<typeof listening>>, seed: number): Promise<Result> {
  const runs = await idle(child);
  return resultOf({ folder, url: child.url, load }, seed, load.sendings(seed), runs);
}

/** Sends a seed's files one by one, and gives the answers' statuses. */
async function statuses(url: string, seed: number): Promise<number[]> {
  const found: number[] = [];
  for (const { stack, name, content } of load.sendings(seed)) {
    const response = await send(url, stack, content, name);
    const body: unknown = await response.json();
    found.push(response.ok ? response.status : Problem.parse(body).status);
  }
  return found;
}

const nothing = new Set<string>();
const everything = new Set(load.sendings(1).map(({ stack, file }) => `${stack}/${file}`));

/** Sends a seed's files and expects of them what came of the first seed's, and all of it. */
async function expectLikeFirst(
  child: Awaited<ReturnType<typeof listening>>,
  seed: number,
  first: Result,
): Promise<void> {
  const acknowledged: Acknowledged = new Map();
  await sendAll({ url: child.url, folder }, load.sendings(seed), acknowledged);
  expect(acknowledged.size).toBe(load.sendings(seed).length);
  compare(await result(child, seed), first, everything);
}

async function firstResult(child: Awaited<ReturnType<typeof listening>>): Promise<Result> {
  await sendAll({ url: child.url, folder }, load.sendings(1), new Map());
  return result(child, 1);
}

it.runIf(mayMount)(
  "goes on after a full disk: refuses with 507, keeps what it took",
  { timeout: 120_000 },
  async () => {
    const data = join(folder, "data");
    await mount(data, ["-t", "tmpfs", "-o", "size=24m,mode=700", "none"]);
    const child = await listening(folder);
    const first = await firstResult(child);
    const filler = join(data, "filler");
    const fill = async (leave: number) => {
      const { bavail, bsize } = await statfs(data);
      await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - leave)), { flag: "a" });
    };
    // Room for some of the uploads, hardly for what is made of them.
    await fill(64_000);
    const some = await statuses(child.url, 2);
    await fill(0);
    const none = await statuses(child.url, 3);
    expect(none.every((status) => status === 507)).toBe(true);
    expect(some.every((status) => [200, 202, 507].includes(status))).toBe(true);
    expect(child.isAlive()).toBe(true);
    await rm(filler);
    // What was taken is done without being sent again; then all is, being sent again.
    await idle(child);
    for (const seed of [2, 3]) await expectLikeFirst(child, seed, first);
    await stopWell(folder, child, load, "stopped");
  },
);

it("does not mind a clock that is set forth and back", { timeout: 120_000 }, async () => {
  let child = await listening(folder, { clock: { hours: 7, everyMs: 150 } });
  const first = await firstResult(child);
  for (const seed of [2, 3, 4]) await expectLikeFirst(child, seed, first);
  // Killed with work at hand an hour in the future, and started again with the clock as it is.
  await child.order({
    point: { operation: "rename lake/sold", count: 1, moment: "after" },
    clock: { hours: 1000, everyMs: 1 },
  });
  await sendAll({ url: child.url, folder }, load.sendings(5), new Map());
  expect(await child.ended).toBe("SIGKILL");
  child = await listening(folder, { clock: { hours: -1000, everyMs: 1 } });
  await expectLikeFirst(child, 5, first);
  await stopWell(folder, child, load, "stopped");
});

const roles = ["input", "lake", "output"] as const;
/** Only the input store is written before the answer. */
const answers = { input: [503, 503, 503, 503], lake: [202, 200, 202, 202], output: [202, 200, 202, 202] };

it.each(roles)("waits for a store that is out of reach: %s", { timeout: 120_000 }, async (role) => {
  const child = await listening(folder);
  const first = await firstResult(child);
  const store = join(folder, "data", "sales", role);
  await rename(store, `${store}-away`);
  expect((await fetch(`${child.url}/readyz`)).status).toBe(503);
  expect(await statuses(child.url, 2)).toEqual(answers[role]);
  await rename(`${store}-away`, store);
  expect((await fetch(`${child.url}/readyz`)).status).toBe(200);
  // What was taken is done without being sent again.
  compare(await result(child, 2), first, role === "input" ? nothing : everything);
  await expectLikeFirst(child, 2, first);
  await stopWell(folder, child, load, "stopped");
});

it.runIf(mayMount).each(roles)("waits for a store that is read-only: %s", { timeout: 120_000 }, async (role) => {
  const store = join(folder, "data", "sales", role);
  await mount(store, ["--bind", store]);
  const child = await listening(folder);
  const first = await firstResult(child);
  // What is open to be written keeps a mount as it is.
  await expect.poll(() => isPublished(child.url), { timeout: 20_000 }).toBe(true);
  await run("mount", ["-o", "remount,bind,ro", store]);
  expect(await statuses(child.url, 2)).toEqual(answers[role]);
  await run("mount", ["-o", "remount,bind,rw", store]);
  // What was taken is done without being sent again.
  compare(await result(child, 2), first, role === "input" ? nothing : everything);
  await expectLikeFirst(child, 2, first);
  await stopWell(folder, child, load, "stopped");
});

it.runIf(mayMount)("says which folder it cannot write, and starts nothing", async () => {
  const data = join(folder, "data");
  await mkdir(data);
  for (const path of [folder, data]) await chmod(path, 0o755);
  const child = await startProcessor({ folder, uid: 65_534 });
  expect(child.url).toBeUndefined();
  expect(await child.ended).toBe(1);
  expect(child.said()).toContain(`The data folder ${data} cannot be written`);
});
