import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Problem, Runs } from "@cais/spec/api.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, engines, salesStack, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
beforeAll(async () => {
  folder = await testFolder("uploads");
  processor = await startProcessor(configOf(salesStack()), { engines, dataFolder: folder });
});
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

const post = (body: RequestInit["body"], query = "") =>
  fetch(`${processor.url}/v1/stacks/sales/files${query}`, { method: "POST", body: body ?? null });

describe("a form with two files", () => {
  it.each([
    ["small", 1],
    ["large", 300_000],
  ])("is refused with a clear sentence, and nothing of it is kept: %s ones", async (_, size) => {
    const form = new FormData();
    for (const name of ["first.csv", "second.csv"])
      form.append("file", new Blob([`day,amount,note\n2024-01-01,1,${name.repeat(Math.ceil(size / 9))}\n`]), name);
    const response = await post(form);
    expect(Problem.parse(await response.json())).toEqual({
      type: "urn:cais:problem:bad-request",
      title: "Bad Request",
      status: 400,
      detail: "The form has more than one file; send one file a request.",
    });
    const { runs } = Runs.parse(await (await fetch(`${processor.url}/v1/runs`)).json());
    expect(runs).toEqual([]);
    const kept = await readdir(join(folder, "sales/input"), { recursive: true });
    expect(kept.filter((name) => name.endsWith(".csv"))).toEqual([]);
  });
});

it("a form may have fields after its file", async () => {
  const form = new FormData();
  form.append("file", new Blob(["day,amount,note\n2024-01-01,1,x\n"]), "a.csv");
  form.append("comment", "x");
  expect((await post(form)).status).toBe(202);
});

it("a name that is too long is refused with one sentence", async () => {
  const form = new FormData();
  form.append("file", new Blob(["x"]), `${"x".repeat(252)}.csv`);
  expect(Problem.parse(await (await post(form)).json()).detail).toBe(
    "The file's name must be a name alone, of 1 to 255 characters: no folder, no control character.",
  );
});
