import { rm } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openLedger } from "../ledger/index.ts";
import { configOf, salesStack, testFolder } from "../processor-for-tests.ts";
import { moveSource } from "./after.ts";
import { openStack } from "./stack.ts";

let folder: string;
beforeEach(async () => {
  folder = await testFolder("after");
});
afterEach(() => rm(folder, { recursive: true }));

it("leaves what is written to a file's place while the file is copied to the archive", async () => {
  const upload = { formats: ["csv" as const], maxBytes: 1000, after: "archive" as const };
  const config = configOf(salesStack({ source: { upload } })).stacks["sales"];
  if (config === undefined) throw new Error("unreachable");
  const open = await openStack(config, folder);
  const ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  const { input } = open;
  const claim = { stack: "sales", store: input.id, key: "a.csv", name: "a.csv" };
  await ledger.claim({ ...claim, ...(await input.put("a.csv", new Blob(["old"]).stream())) });
  const [run] = await ledger.next("worker", { busyStacks: [], leaseSeconds: 60 });
  if (run === undefined) throw new Error("unreachable");
  await ledger.commit({ stack: "sales", runs: [run.id], changes: [] });
  const written: typeof input.put = async (key, body, options) => {
    const stored = await input.put(key, body, options);
    await input.put("a.csv", new Blob(["new"]).stream());
    return stored;
  };
  const stack = { ...open, input: { ...input, put: written } };
  await moveSource({ stack, ledger, step: (_runs, _name, work) => work() }, run);
  const read = async (key: string) => {
    const content = await input.get(key);
    return content && text(content);
  };
  expect(await read(`archive/${run.id}/a.csv`)).toBe("old");
  expect(await read("a.csv")).toBe("new");
  expect(await ledger.loose.all()).toEqual([]);
  await ledger.close();
});
