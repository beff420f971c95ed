import { createHmac } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { CreatedToken } from "@cais/spec/access.ts";
import { Problem, RejectedRow, Run, TableRows, Upload } from "@cais/spec/api.ts";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { startProcessor } from "../main.ts";
import { configOf, testFolder } from "../processor-for-tests.ts";

const master = "0123456789abcdef0123456789abcdef";
const key = "k".repeat(32);
let folder: string;
let log = "";
let processor: Awaited<ReturnType<typeof startProcessor>>;
const tokens: Record<"reader" | "trusted", string> = { reader: "", trusted: "" };

const stack = {
  name: "people",
  owner: "staff",
  environments: ["dev" as const],
  source: { upload: { formats: ["csv" as const], maxBytes: 1_000_000 } },
  contract: {
    columns: [
      { name: "day", type: "date" as const, required: true },
      { name: "email", type: "string" as const, pii: "hash" as const },
      { name: "name", type: "string" as const, pii: "mask" as const },
      { name: "age", type: "integer" as const, pii: "drop" as const, max: 120 },
    ],
    rules: [{ check: "CASE WHEN age < 0 THEN name::INTEGER > 0 ELSE true END", reason: "no age" }],
    piiKey: { secret: "pii-key" },
  },
  tables: [
    { name: "received", layer: "bronze" as const },
    { name: "people", layer: "silver" as const, sql: "people.sql", disposition: "append" as const },
  ],
  sinks: [{ csv: { table: "people", to: "people.csv" } }],
};

beforeAll(async () => {
  folder = await testFolder("pii-api");
  const config = configOf({ stack, sql: { "people.sql": "SELECT * FROM input" } });
  const people = { ...config.stacks["people"], secrets: { "pii-key": { driver: "file", path: "pii-key" } } };
  const lines = new Writable({
    write(line, _, done) {
      log += String(line);
      done();
    },
  });
  processor = await startProcessor(ProcessorConfig.parse({ ...config, stacks: { people } }), {
    dataFolder: folder,
    token: master,
    log: pino({ level: "trace" }, lines),
    retry: { firstMs: 1, longestMs: 50 },
  });
  for (const [name, actions] of [
    ["reader", ["read"]],
    ["trusted", ["read", "pii"]],
  ] as const) {
    const answer = await ask("/v1/tokens", master, JSON.stringify({ name, actions }));
    tokens[name] = CreatedToken.parse(await answer.json()).token;
  }
});
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

const ask = (path: string, token: string, body?: string) =>
  fetch(`${processor.url}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body }),
  });

async function ingest(content: string): Promise<Run> {
  const answer = await fetch(`${processor.url}/v1/stacks/people/files?name=a.csv`, {
    method: "POST",
    headers: { authorization: `Bearer ${master}`, "content-type": "application/octet-stream" },
    body: content,
  });
  return until(Upload.parse(await answer.json()).id, ({ finishedAt }) => finishedAt !== null);
}

async function until(id: string, isSo: (run: Run) => boolean): Promise<Run> {
  for (;;) {
    const run = Run.parse(await (await ask(`/v1/runs/${id}`, master)).json());
    if (isSo(run)) return run;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const content =
  "day,email,name,age\n2026-01-02,ana@example.org,Ana Secreta,31\n2026-01-03,rui@example.org,Rui Secreto,131\n";
let run: Run;

it("waits for the key that hashes, and says where it is to be", async () => {
  const answer = await fetch(`${processor.url}/v1/stacks/people/files?name=a.csv`, {
    method: "POST",
    headers: { authorization: `Bearer ${master}`, "content-type": "application/octet-stream" },
    body: content,
  });
  const { id } = Upload.parse(await answer.json());
  // Now and then it is just being tried again.
  const waiting = await until(id, ({ error, state }) => error !== null && state === "queued");
  expect(waiting).toMatchObject({
    state: "queued",
    error: `The secret "pii-key" cannot be read from ${join(folder, "pii-key")}: put it there, in a file that not everyone may read.`,
  });
  await writeFile(join(folder, "pii-key"), `${key}\n`, { mode: 0o600 });
  run = await until(id, ({ finishedAt }) => finishedAt !== null);
  expect(run).toMatchObject({ state: "done", rows: { read: 2, clean: 1, rejected: 1 } });
});

it("shows no table and no sink what is personal, whoever asks", async () => {
  const email = createHmac("sha256", key).update("ana@example.org").digest("hex");
  for (const table of ["received", "people"]) {
    const { data } = TableRows.parse(await (await ask(`/v1/tables/people/${table}`, master)).json());
    expect(data).toHaveLength(1);
    expect(data[0]).toMatchObject({ day: "2026-01-02", email, name: "***" });
    expect(data[0]).not.toHaveProperty("age");
  }
  expect(await readFile(join(folder, "people/output/people.csv"), "utf8")).toBe(
    `day,email,name\r\n2026-01-02,${email},***\r\n`,
  );
});

it("shows rejected rows with their values only to who may see personal data", async () => {
  const rows = async (token: string) =>
    RejectedRow.parse(JSON.parse(await (await ask(`/v1/runs/${run.id}/rejected`, token)).text()));
  const row = { row: 3, member: null, column: "age", reason: "is above 120" };
  expect(await rows(tokens.reader)).toEqual({ ...row, value: null, text: null });
  expect(await rows(tokens.trusted)).toEqual({
    ...row,
    value: "131",
    text: "2026-01-03,rui@example.org,Rui Secreto,131",
  });
  expect(await (await ask(`/v1/runs/${run.id}/rejected?format=csv`, tokens.reader)).text()).not.toContain("131");
  for (const [path, what] of [
    ["rejected?format=editable", "These rows hold"],
    ["file", 'The file "a.csv" holds'],
  ]) {
    const refused = await ask(`/v1/runs/${run.id}/${path}`, tokens.reader);
    expect(Problem.parse(await refused.json())).toMatchObject({
      status: 403,
      detail: `${what} personal data (email, name, age), and the token "reader" lacks the action pii; ask for a token with it.`,
    });
    expect(await (await ask(`/v1/runs/${run.id}/${path}`, tokens.trusted)).text()).toContain("Rui Secreto");
  }
});

it("tells no value in an error", async () => {
  const failing = await ingest("day,email,name,age\n2026-01-05,x,Zoe Secreta,-1\n");
  expect(failing.error).toBe(
    "A rule of the contract failed at a value. It is not told, since the contract has personal data; try the rules on a file without any.",
  );
  const headless = await ingest("2026-01-05,x,Zoe Secreta,-1\n");
  expect(headless.error).toBe(
    'The header row lacks "day", "email", "name", "age"; what it has may be personal data and is not told.',
  );
});

it("writes personal data to the input store and the rejected rows, and to no ledger, delivery or log", async () => {
  await processor.stop();
  const found = z.array(z.string()).parse(await readdir(folder, { recursive: true }));
  const holding: string[] = [];
  for (const path of found) {
    const bytes = await readFile(join(folder, path)).catch((error: unknown) => {
      if (error instanceof Error && "code" in error && (error.code === "EISDIR" || error.code === "ENOENT")) return "";
      throw error;
    });
    if (/Secret[oa]|ana@example|k{32}/.test(bytes.toString("latin1"))) holding.push(path.replace(/[^/]*$/, ""));
  }
  expect([...new Set(holding.map((path) => path.replace(/^people.input.*/, "people/input/")))].toSorted()).toEqual([
    "",
    "people/input/",
    "people/lake/rejected-rows/",
  ]);
  expect(log).not.toMatch(/Secret[oa]|example\.org|k{32}/);
});
