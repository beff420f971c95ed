import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Run } from "@cais/spec/api.ts";
import { LineageBinding } from "@cais/spec/bindings.ts";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { pino } from "pino";
import { afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { testFolder } from "../processor-for-tests.ts";
import { eventOf, type Told, uuidOf } from "./event.ts";
import { startLineage } from "./index.ts";

const schemas = join(import.meta.dirname, "schemas-for-tests");
const spec = "https://openlineage.io/spec/2-0-2/OpenLineage.json";

/** Checks an event by OpenLineage's own schema, and each facet by the schema that it names. */
let check: (event: unknown) => void;
beforeAll(async () => {
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  for (const name of await readdir(schemas))
    if (name.endsWith(".json")) ajv.addSchema(JSON.parse(await readFile(join(schemas, name), "utf8")));
  const valid = (reference: string, value: unknown) => {
    const validate = ajv.getSchema(reference);
    if (validate === undefined) throw new Error(`There is no schema ${reference}.`);
    expect({ reference, valid: validate(value), errors: validate.errors }).toMatchObject({ valid: true });
  };
  check = (event) => {
    valid(`${spec}#/$defs/RunEvent`, event);
    for (const facet of facetsIn(event)) valid(String(facet["_schemaURL"]), facet);
  };
});

function facetsIn(value: unknown): Record<string, unknown>[] {
  if (typeof value !== "object" || value === null) return [];
  const own = "_schemaURL" in value ? [{ ...value }] : [];
  return [...own, ...Object.values(value).flatMap(facetsIn)];
}

let folder: string;
beforeEach(async () => {
  folder = await testFolder("lineage");
});
afterEach(() => rm(folder, { recursive: true }));

const table = (version: number | null) => ({
  kind: "table" as const,
  name: "sold",
  location: "/data/sales/lake/sold",
  rows: 2,
  bytes: 640,
  version,
});
const run: Run = Run.parse({
  id: "20240102t030405-0123456789ab",
  stack: "sales",
  kind: "load",
  root: null,
  state: "done",
  file: { name: "a.csv", key: "2024/a.csv", bytes: 100, sha256: "0".repeat(64) },
  rows: { read: 3, clean: 2, rejected: 1 },
  open: null,
  found: null,
  attempts: 1,
  retryAt: null,
  by: null,
  error: null,
  steps: [],
  outputs: [table(4), { kind: "bi", name: "sold", location: "the dataset in the secret push", rows: 2, bytes: 10 }],
  deliveries: [],
  queuedAt: "2024-01-02T03:04:05.000Z",
  startedAt: "2024-01-02T03:04:05.500Z",
  finishedAt: "2024-01-02T03:04:06.000Z",
});
const told: Told = {
  environment: "dev",
  file: "https://store.example.org/sales/2024/a.csv",
  columns: new Map([["sold", [{ name: "day", type: "DATE" }]]]),
  now: new Date("2024-01-02T03:04:07Z"),
};

it("tells by OpenLineage's schemas how a run began and ended", () => {
  const began = eventOf({ ...run, state: "running", finishedAt: null }, "began", told);
  expect(began).toMatchObject({
    eventType: "START",
    eventTime: "2024-01-02T03:04:07.000Z",
    run: { runId: uuidOf(run.id) },
    job: { namespace: "cais-dev", name: "sales" },
    inputs: [{ namespace: "https://store.example.org", name: "sales/2024/a.csv" }],
    outputs: [],
  });
  check(began);
  expect(eventOf({ ...run, attempts: 2 }, "began", told)).toMatchObject({ eventType: "RUNNING" });
  const ended = eventOf(run, "ended", told);
  check(ended);
  expect(ended).toMatchObject({
    eventType: "COMPLETE",
    eventTime: "2024-01-02T03:04:06.000Z",
    run: { runId: uuidOf(run.id), facets: {} },
    inputs: [{ inputFacets: { inputStatistics: { size: 100, rowCount: 3, fileCount: 1 } } }],
    outputs: [
      {
        namespace: "file",
        name: "/data/sales/lake/sold",
        facets: {
          dataSource: { name: "sales/table/sold", uri: "file:///data/sales/lake/sold" },
          schema: { fields: [{ name: "day", type: "DATE", ordinal_position: 1 }] },
          version: { datasetVersion: "4" },
        },
        outputFacets: { outputStatistics: { rowCount: 2, size: 640 } },
      },
      { namespace: "cais", name: "the dataset in the secret push" },
    ],
  });
});

it("tells that a run failed, and never its error, which may hold a cell", () => {
  const failed = eventOf({ ...run, state: "quarantined", error: "Row 2: 'secret' is no number." }, "ended", told);
  check(failed);
  expect(failed).toMatchObject({
    eventType: "FAIL",
    run: {
      facets: {
        errorMessage: {
          message: `The run ${run.id} of the stack sales ended as quarantined; npx cais runs ${run.id} tells why.`,
        },
      },
    },
  });
  expect(JSON.stringify(failed)).not.toContain("secret'");
});

it("calls a run by the same UUID at all times, and each by another", () => {
  expect(uuidOf("a")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(uuidOf("a")).toBe(uuidOf("a"));
  expect(uuidOf("b")).not.toBe(uuidOf("a"));
});

it("would see an event that is not by the schema", () => {
  expect(() => check({ ...eventOf(run, "ended", told), eventType: "DONE" })).toThrow(/valid/);
  const event = JSON.parse(JSON.stringify(eventOf(run, "ended", told)).replace('"rowCount":2', '"rowCount":"2"'));
  expect(() => check(event)).toThrow(/valid/);
});

it("writes a file of events in their order", async () => {
  const options = {
    environment: "dev",
    ledger: {
      source: async () => ({ store: "s", key: "archive/a.csv", version: null, deleted: false }),
      tables: { head: async () => undefined },
    },
    stacks: new Map(),
    dataFolder: folder,
    log: pino({ level: "silent" }),
  };
  const lineage = await startLineage({ driver: "file", path: "told/lineage.ndjson" }, options);
  lineage.began(run);
  lineage.ended(run);
  await lineage.stop();
  const lines = (await readFile(join(folder, "told/lineage.ndjson"), "utf8")).trimEnd().split("\n");
  const events = lines.map((line): unknown => JSON.parse(line));
  events.forEach((event) => check(event));
  expect(events).toMatchObject([
    { eventType: "START" },
    { eventType: "COMPLETE", inputs: [{ name: "archive/a.csv" }] },
  ]);
});

it.each([
  ["https://marquez.test/api/v1/lineage", true],
  ["https://marquez.test/api?at=a@b", true],
  ["https://user:marked@marquez.test/api", false],
  ["https://marked@marquez.test", false],
])("takes the endpoint %s: %s", (url, isTaken) => {
  const { success, error } = LineageBinding.safeParse({ driver: "http", url });
  expect(success).toBe(isTaken);
  expect(JSON.stringify(error?.issues ?? [])).not.toContain("marked");
});
