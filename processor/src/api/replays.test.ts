import { readdir, rm } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { Problem, Reruns, Run, Runs, TableRows, Upload } from "@cais/spec/api.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
let url: string;
async function start(stack = salesStack()): Promise<void> {
  processor = await startProcessor(configOf(stack), { engines, dataFolder: folder });
  ({ url } = processor);
}
/** Starts the processor again with another stack of the same name. */
async function startAgain(stack: ReturnType<typeof salesStack>): Promise<void> {
  await processor.stop();
  await start(stack);
}
beforeEach(async () => {
  folder = await testFolder("replays");
  await start();
});
afterEach(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

const text = async (path: string) => (await fetch(`${url}${path}`)).text();
const sold = async () => (await text("/v1/tables/sales/sold.csv")).trimEnd().split("\r\n").slice(1).toSorted();
const post = (path: string, body?: string, headers: Record<string, string> = {}) =>
  fetch(`${url}${path}`, { method: "POST", headers, body: body ?? null });
async function load(content: string): Promise<Run> {
  return ended(url, Upload.parse(await (await send(url, "sales", content)).json()).id);
}
async function done(response: Response): Promise<Run> {
  expect(response.status).toBe(202);
  return ended(url, Run.strict().parse(await response.json()).id);
}
async function refusal(response: Response): Promise<[number, string, string]> {
  const { status, type, detail } = Problem.parse(await response.json());
  expect(response.status).toBe(status);
  return [status, type.replace("urn:cais:problem:", ""), detail];
}
const inputs = async () =>
  (await readdir(join(folder, "sales/input"), { recursive: true })).filter((name) => name.endsWith(".csv"));

const broken = "day,amount,note\n2024-01-01,1,a\n2024-01-02,-2,b\nnever,3,c\n2024-01-04,4\n";
const clean = "2024-01-01,1.0,a";

describe("the open rows of a file", () => {
  it("are given to edit, and loaded as edited, none twice", async () => {
    const first = await load(broken);
    expect(first).toMatchObject({ kind: "load", root: null, state: "done", open: { scope: "rows", rows: 3 } });
    const editable = await fetch(`${url}/v1/runs/${first.id}/rejected?format=editable`);
    expect(editable.headers.get("content-disposition")).toBe('attachment; filename="file open rows.csv"');
    const lines = (await editable.text()).split("\r\n");
    expect(lines).toEqual([
      "\uFEFFcais row,cais reasons,cais text,day,amount,note".slice(1),
      "3,amount: is below 0,,2024-01-02,-2,b",
      "4,day: is not a date (YYYY-MM-DD),,never,3,c",
      expect.stringMatching(/^5,.+,"2024-01-04,4",,,$/),
      "",
    ]);

    const corrected = [lines[0], "3,,,2024-01-02,2,b", "4,,,nimmer,3,c"].join("\n");
    const second = await done(await post(`/v1/runs/${first.id}/replays?name=corrected.csv`, corrected));
    expect(second).toMatchObject({
      kind: "replay",
      root: first.id,
      state: "done",
      rows: { read: 3, clean: 1, rejected: 2 },
      open: { scope: "rows", rows: 2 },
    });
    expect(await sold()).toEqual([clean, "2024-01-02,2.0,b"]);
    const now = await text(`/v1/runs/${second.id}/rejected?format=editable`);
    expect(now.split("\r\n").map((line) => line.split(",")[0])).toEqual(["cais row", "4", "5", ""]);
    expect(await text(`/v1/runs/${first.id}/rejected?format=editable`)).toBe(now);

    const form = new FormData();
    form.append("file", new Blob([[lines[0], "5,,,2024-01-04,4,d", "4,,,2024-01-03,3,c"].join("\n")]), "c.csv");
    const third = await done(await fetch(`${url}/v1/runs/${second.id}/replays`, { method: "POST", body: form }));
    expect(third).toMatchObject({ root: first.id, rows: { read: 2, clean: 2, rejected: 0 }, open: null });
    expect(await sold()).toEqual([clean, "2024-01-02,2.0,b", "2024-01-03,3.0,c", "2024-01-04,4.0,d"]);

    const { runs } = Runs.parse(JSON.parse(await text(`/v1/runs?file=${second.id}`)));
    expect(runs.map(({ id }) => id)).toEqual([third.id, second.id, first.id]);
    expect(Runs.parse(JSON.parse(await text("/v1/runs?kind=load"))).runs.map(({ id }) => id)).toEqual([first.id]);
    expect((await refusal(await post(`/v1/runs/${first.id}/replays`)))[1]).toBe("not-now");
    expect((await refusal(await fetch(`${url}/v1/runs/${first.id}/rejected?format=editable`))).slice(0, 2)).toEqual([
      409,
      "nothing-to-edit",
    ]);
  });

  it("are loaded as they are once the contract takes them", async () => {
    const { id } = await load(broken);
    const { contract, ...rest } = salesStack().stack;
    const columns = contract.columns.map((column) => ({ ...column, min: undefined }));
    await startAgain({ ...salesStack(), stack: { ...rest, contract: { columns } } });
    const replay = await done(await post(`/v1/runs/${id}/replays`));
    expect(replay.rows).toEqual({ read: 3, clean: 1, rejected: 2 });
    expect(await sold()).toEqual([clean, "2024-01-02,-2.0,b"]);
  });

  it("come back from a spreadsheet with every title and cell that looks like a formula", async () => {
    const { contract, ...rest } = salesStack().stack;
    const columns = contract.columns.map((column) => ({ ...column, from: `=${column.name}` }));
    await startAgain({ ...salesStack(), stack: { ...rest, contract: { columns } } });
    const { id } = await load("=day,=amount,=note\n2024-01-01,-1,=a()\n2024-01-02,2,'=b()\n");
    const editable = await text(`/v1/runs/${id}/rejected?format=editable`);
    expect(editable).toContain("text,'=day,'=amount,'=note\r\n2,amount: is below 0,,2024-01-01,-1,'=a()\r\n");
    const replay = await done(await post(`/v1/runs/${id}/replays?name=c.csv`, editable.replace(",-1,", ",1,")));
    expect(replay.rows).toEqual({ read: 1, clean: 1, rejected: 0 });
    const { data } = TableRows.parse(JSON.parse(await text("/v1/tables/sales/sold")));
    expect(data.map(({ note }) => note).toSorted()).toEqual(["'=b()", "=a()"]);
  });

  it("stay open, and nothing is loaded, when a row is corrected that is not", async () => {
    const { id } = await load(broken);
    const before = await sold();
    const wrong = "cais row,day,amount,note\n2,2024-01-01,1,a\n3,2024-01-02,2,b\n";
    const replay = await done(await post(`/v1/runs/${id}/replays?name=c.csv`, wrong));
    expect(replay.state).toBe("quarantined");
    expect(replay.error).toMatch(/\b2\b/);
    expect(await sold()).toEqual(before);
    expect((await ended(url, id)).open).toEqual({ scope: "rows", rows: 3 });
  });
});

describe("a correction that is not taken", () => {
  it("is refused with a sentence, and nothing of it is kept", async () => {
    const { id } = await load(broken);
    const kept = await inputs();
    const large = "x".repeat(10_000_001);
    expect(await refusal(await post(`/v1/runs/${id}/replays?name=c.xlsx`, "x"))).toEqual([
      415,
      "not-this-format",
      "A correction is the CSV that GET …/rejected?format=editable gives, edited, but this file is called c.xlsx.",
    ]);
    expect((await refusal(await post(`/v1/runs/${id}/replays`, "x"))).slice(0, 2)).toEqual([400, "bad-request"]);
    expect((await refusal(await post(`/v1/runs/${id}/replays?name=c.csv`, large))).slice(0, 2)).toEqual([
      413,
      "too-large",
    ]);
    expect((await refusal(await post("/v1/runs/x/replays?name=c.csv", "x"))).slice(0, 2)).toEqual([404, "no-such-run"]);
    const done = await load("day,amount,note\n2024-02-01,1,a\n");
    expect((await refusal(await post(`/v1/runs/${done.id}/replays?name=c.csv`, "x"))).slice(0, 2)).toEqual([
      409,
      "not-now",
    ]);
    expect(await inputs()).toHaveLength(kept.length + 1);
  });

  it("is none for a file that could not be read", async () => {
    const { id, open, state } = await load("a,b\n1,2\n");
    expect({ open, state }).toEqual({ open: { scope: "file", rows: 0 }, state: "quarantined" });
    expect(await refusal(await fetch(`${url}/v1/runs/${id}/rejected?format=editable`))).toEqual([
      409,
      "nothing-to-edit",
      'No rows of "file.csv" are kept apart; download the file itself, correct it and send it.',
    ]);
  });
});

describe("a rerun", () => {
  const doubled = {
    ...salesStack(),
    sql: { ...salesStack().sql, "sold.sql": "SELECT day, amount * 2 AS amount, note FROM input" },
  };

  it("of a file replaces what the tables have of it, with its corrections", async () => {
    const { id } = await load(broken);
    await load("day,amount,note\n2024-02-01,1,other\n");
    await done(await post(`/v1/runs/${id}/replays?name=c.csv`, "cais row,day,amount,note\n3,2024-01-02,2,b\n"));
    await startAgain(doubled);
    const rerun = await done(await post(`/v1/runs/${id}/reruns`));
    expect(rerun).toMatchObject({ kind: "rerun", root: id, state: "done", rows: { read: 4, clean: 2, rejected: 2 } });
    expect(await sold()).toEqual(["2024-01-01,2.0,a", "2024-01-02,4.0,b", "2024-02-01,1.0,other"]);
  });

  it("of a stack's files replaces all of them, or those of a time", async () => {
    const ids: string[] = [];
    for (const day of ["01", "02"]) ids.push((await load(`day,amount,note\n2024-01-${day},1,x\n`)).id);
    await startAgain(doubled);
    const none = Reruns.strict().parse(await (await post("/v1/stacks/sales/reruns?to=2024-01-01")).json());
    expect(none).toEqual({ runs: [], skipped: [] });
    const answer = await post("/v1/stacks/sales/reruns?all=true");
    expect(answer.status).toBe(202);
    const { runs } = Reruns.strict().parse(await answer.json());
    expect(runs.map(({ root }) => root)).toEqual(ids);
    for (const run of runs) await ended(url, run.id);
    expect(await sold()).toEqual(["2024-01-01,2.0,x", "2024-01-02,2.0,x"]);
    const since = Reruns.parse(await (await post("/v1/stacks/sales/reruns?from=2024-01-01T00:00:00-03:00")).json());
    expect(since.runs).toHaveLength(2);
    for (const run of since.runs) await ended(url, run.id);
    expect(await sold()).toEqual(["2024-01-01,2.0,x", "2024-01-02,2.0,x"]);
  });

  it("of a stack's files says which it leaves out, and loads no content twice that was refused twice", async () => {
    const content = "day,amount,note\nnever,1,x\n";
    const [first, second] = [await load(content), await load(content)];
    expect([first.state, second.state]).toEqual(["quarantined", "quarantined"]);
    const { stack, sql } = salesStack();
    const contract = { columns: ["day", "amount", "note"].map((name) => ({ name, type: "string" as const })) };
    const daily = "SELECT day, count(*) AS sales FROM sold GROUP BY day";
    await startAgain({ stack: { ...stack, contract }, sql: { ...sql, "by_day.sql": daily } });
    const { runs, skipped } = Reruns.parse(await (await post("/v1/stacks/sales/reruns?all=true")).json());
    expect(runs.map(({ root }) => root)).toEqual([first.id]);
    const reason = `The stack has the same content as the run ${first.id}, so this would load it twice; to do that, send it with again=true.`;
    expect(skipped).toEqual([{ run: second.id, reason }]);
    expect(await ended(url, runs[0]?.id ?? "")).toMatchObject({ state: "done" });
    expect(await refusal(await post(`/v1/runs/${second.id}/replays`))).toEqual([409, "not-now", reason]);
    expect(await sold()).toEqual(["never,1,x"]);
  });

  it.each([
    ["", "Say which files: either all=true, or from, to or both."],
    ["?all=true&from=2024-01-01", "Say which files: either all=true, or from, to or both."],
    [
      "?from=yesterday",
      "The request is not right: from: must be a date such as 2024-01-31 or a time with its zone such as 2024-01-31T10:00:00Z, and given once.",
    ],
  ])("says which files: %j", async (query, detail) => {
    expect(await refusal(await post(`/v1/stacks/sales/reruns${query}`))).toEqual([400, "bad-request", detail]);
  });
});

describe("an Idempotency-Key", () => {
  const path = "/v1/stacks/sales/files?name=a.csv&again=true";
  const content = "day,amount,note\n2024-01-01,1,x\n";

  it("makes a request that is sent twice one, with quotes or without", async () => {
    const first = await post(path, content, { "idempotency-key": '"a-1"' });
    expect(first.status).toBe(202);
    const { id } = Upload.parse(await first.json());
    const second = await post(path, content, { "idempotency-key": "a-1" });
    expect(second.status).toBe(200);
    expect(Upload.parse(await second.json()).id).toBe(id);
    const other = Upload.parse(await (await post(path, content, { "idempotency-key": "a-2" })).json());
    expect(other.id).not.toBe(id);
  });

  it("is refused for another content, and when it is none", async () => {
    await post(path, content, { "idempotency-key": "b" });
    const kept = await inputs();
    expect((await refusal(await post(path, `${content}\n`, { "idempotency-key": "b" }))).slice(0, 2)).toEqual([
      422,
      "other-content",
    ]);
    expect(await inputs()).toEqual(kept);
    for (const key of ["", "a b", '"', "é", "x".repeat(256)])
      expect((await refusal(await post(path, content, { "idempotency-key": key })))[0]).toBe(400);
  });

  it("is refused while the request before is still in progress", async () => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const slow = request(`${url}${path}`, { method: "POST", headers: { "idempotency-key": "c" } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    slow.on("error", reject);
    slow.write(content);
    await expect
      .poll(async () => (await refusal(await post(path, "x", { "idempotency-key": "c" })))[1])
      .toBe("in-progress");
    slow.end();
    expect(await promise).toBe(202);
    expect((await post(path, content, { "idempotency-key": "c" })).status).toBe(200);
  });
});
