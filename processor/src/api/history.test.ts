import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Problem, type Table, TableRows, Upload } from "@cais/spec/api.ts";
import { Lineage } from "@cais/spec/lineage.ts";
import { Sinks } from "@cais/spec/sink-status.ts";
import { TableVersions } from "@cais/spec/table-versions.ts";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { z } from "zod";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
const runs: string[] = [];

beforeAll(async () => {
  folder = await testFolder("history");
  processor = await startProcessor(configOf(salesStack()), { engines, dataFolder: folder });
  for (const rows of ["2024-01-01,1.5,\n2024-01-02,2,\n", "2024-01-02,4,\n"]) {
    const sent = Upload.parse(await (await send(processor.url, "sales", `day,amount,note\n${rows}`)).json());
    runs.push(sent.id);
    await ended(processor.url, sent.id);
    // Each log has a commit a moment after it counts.
    for (const name of ["sold", "by_day"])
      await vi.waitUntil(async () => (await table(name)).version === runs.length - 1, { timeout: 60_000 });
  }
}, 60_000);
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

async function get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
  return schema.parse(await (await fetch(`${processor.url}/v1${path}`)).json());
}
const table = async (name: string): Promise<Table> => get(`/tables/sales/${name}?limit=1`, TableRows);

describe("a table's history", () => {
  it("tells its versions, in pages", async () => {
    const { versions, next } = await get("/tables/sales/sold/versions", TableVersions.strict());
    expect(versions.map(({ version, added, removed, rows, files }) => [version, added, removed, rows, files])).toEqual([
      [1, 1, 0, 3, 2],
      [0, 2, 0, 2, 1],
    ]);
    expect(next).toBeNull();
    const first = await get("/tables/sales/sold/versions?limit=1", TableVersions);
    expect([first.versions.map(({ version }) => version), first.next]).toEqual([[1], 1]);
    const replaced = await get("/tables/sales/by_day/versions?limit=1", TableVersions);
    expect(replaced.versions[0]).toMatchObject({ version: 1, added: 2, removed: 2, rows: 2 });
  });

  it("shows the table as it was at a version and at a time, as rows and as CSV", async () => {
    const then = await get("/tables/sales/sold?version=0", TableRows);
    expect(then).toMatchObject({ version: 0, rows: 2, columns: (await table("sold")).columns });
    expect(then.data.map(({ amount }) => amount)).toEqual([1.5, 2]);
    expect((await get(`/tables/sales/sold?at=${then.updatedAt}`, TableRows)).version).toBe(0);
    expect((await get("/tables/sales/sold?at=2999-01-01", TableRows)).rows).toBe(3);
    const csv = await (await fetch(`${processor.url}/v1/tables/sales/by_day.csv?version=0`)).text();
    expect(csv).toBe("day,amount,sales\r\n2024-01-01,1.5,1\r\n2024-01-02,2.0,1\r\n");
  });

  it.each([
    ["?version=7", 404, "no-such-version", 'Table "sold" has no version 7; it has 0 ('],
    ["?at=1999-01-01", 404, "no-such-version", 'Table "sold" has no version of 1999-01-01'],
    ["?version=0&at=2999-01-01", 400, "bad-request", "Give version or at, not both"],
    ["?version=x", 400, "bad-request", "version: must be a whole number"],
    ["?at=yesterday", 400, "bad-request", "at: must be a date such as"],
  ])("has nothing at %s", async (query, status, code, detail) => {
    const problem = await get(`/tables/sales/sold${query}`, Problem);
    expect(problem).toMatchObject({
      status,
      type: `urn:cais:problem:${code}`,
      detail: expect.stringContaining(detail),
    });
  });
});

it("says of a log whose beginning others deleted what can be done", async () => {
  const log = join(folder, "sales/lake/by_day/_delta_log/00000000000000000000.json");
  const text = await readFile(log);
  await rm(log);
  for (const path of ["/versions", "?version=1", ".csv?version=1"])
    expect(await get(`/tables/sales/by_day${path}`, Problem)).toMatchObject({
      status: 404,
      type: "urn:cais:problem:no-such-version",
      detail:
        'The Delta log of table "by_day" begins with version 1 and has no classic checkpoint for version 1 any more; ask for a later version, or write a classic checkpoint.',
    });
  await writeFile(log, text);
});

it("a run's lineage leads from its file to its sinks", async () => {
  const { nodes, edges } = await get(`/runs/${runs[0]}/lineage`, Lineage.strict());
  expect(nodes.map(({ id, state, rows }) => [id, state, rows])).toEqual([
    ["file", "done", 2],
    ["table/sold", "done", 2],
    ["table/by_day", "done", 2],
    ["sink/0-csv-sold", "done", 2],
  ]);
  expect(edges).toEqual([
    { from: "file", to: "table/sold" },
    { from: "table/sold", to: "table/by_day" },
    { from: "table/sold", to: "sink/0-csv-sold" },
  ]);
});

it("the sinks tell what each delivered last", async () => {
  const { sinks } = await get("/sinks", Sinks.strict());
  expect(sinks).toEqual([
    {
      stack: "sales",
      id: "0-csv-sold",
      kind: "csv",
      name: "sold",
      canDouble: null,
      waiting: 0,
      last: expect.objectContaining({ run: runs[1], state: "delivered", rows: 3, error: null, delivery: null }),
    },
  ]);
});
