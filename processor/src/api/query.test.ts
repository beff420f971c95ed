import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { CreatedToken } from "@cais/spec/access.ts";
import { Problem, Run, Upload } from "@cais/spec/api.ts";
import { QueryAnswer } from "@cais/spec/query.ts";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, engines, salesStack, testFolder } from "../processor-for-tests.ts";

const master = "0123456789abcdef0123456789abcdef";
/** Nothing but to begin it is quick. */
const endless =
  "SELECT count(*) FROM range(100000) a, range(100000) b, range(100) c WHERE a.range * b.range % 7 = c.range";
let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
let salesToken: string;

const ask = (method: string, path: string, body?: string | FormData, token = master, signal?: AbortSignal) =>
  fetch(`${processor.url}/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(typeof body === "string" && { "content-type": "application/json" }),
    },
    body: body ?? null,
    signal: signal ?? null,
  });
const query = (asked: object, token = master) => ask("POST", "/query", JSON.stringify(asked), token);
const answer = async (sql: string, more: object = {}) =>
  QueryAnswer.strict().parse(await (await query({ sql, ...more })).json());

async function load(stack: string, rows: string): Promise<void> {
  const form = new FormData();
  form.append("file", new Blob([`day,amount,note\n${rows}`]), "file.csv");
  const { id } = Upload.parse(await (await ask("POST", `/stacks/${stack}/files`, form)).json());
  const state = async () => Run.parse(await (await ask("GET", `/runs/${id}`)).json()).state;
  await vi.waitUntil(async () => (await state()) === "done", { timeout: 30_000 });
}

const reached = (version: number) => async () =>
  (await query({ sql: `FROM sales.sold AT (VERSION => ${version})` })).status === 200;

beforeAll(async () => {
  folder = await testFolder("query");
  const stacks = [salesStack(), salesStack({ name: "other-shop" }), salesStack({ name: "idle" })];
  processor = await startProcessor(configOf(...stacks), { engines, dataFolder: folder, token: master });
  await load("sales", "2024-01-01,1.5,=cmd()\n2024-01-02,2,\n");
  await load("other-shop", "2024-01-02,40,x\n");
  const asked = JSON.stringify({ name: "reader", stacks: ["sales"], actions: ["read"] });
  salesToken = CreatedToken.parse(await (await ask("POST", "/tokens", asked)).json()).token;
}, 60_000);
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

describe("a query", () => {
  it("joins tables of several stacks", async () => {
    const sql = `SELECT day, s.amount, o.amount AS others FROM sales.sold s LEFT JOIN other_shop.sold o USING (day)
      ORDER BY day`;
    expect(await answer(sql)).toEqual({
      columns: [
        { name: "day", type: "DATE" },
        { name: "amount", type: "DOUBLE" },
        { name: "others", type: "DOUBLE" },
      ],
      rows: 2,
      more: false,
      data: [
        ["2024-01-01", "1.5", null],
        ["2024-01-02", "2.0", "40.0"],
      ],
    });
    expect((await answer('SELECT count(*) FROM "other-shop".BY_DAY')).data).toEqual([["1"]]);
  });

  it("is answered as NDJSON and as treated CSV too, with no more rows than asked for", async () => {
    const sql = "FROM sales.sold ORDER BY day";
    const ndjson = await query({ sql, format: "ndjson", limit: 1 });
    expect(ndjson.headers.get("x-cais-more")).toBe("true");
    expect(await ndjson.text()).toBe('{"day":"2024-01-01","amount":1.5,"note":"=cmd()"}\n');
    const csv = await query({ sql, format: "csv" });
    expect([csv.headers.get("x-cais-more"), csv.headers.get("x-cais-rows")]).toEqual(["false", "2"]);
    expect(await csv.text()).toBe("day,amount,note\r\n2024-01-01,1.5,'=cmd()\r\n2024-01-02,2.0,\r\n");
    expect(await answer("SELECT 'a' || chr(10) AS a FROM range(3)")).toMatchObject({
      rows: 3,
      data: [["a\n"], ["a\n"], ["a\n"]],
    });
    const [[long = null] = []] = (await answer("SELECT repeat('x', 1000000)")).data;
    expect(long?.length).toBe(1_000_000);
    const many = (await answer("SELECT range FROM range(30000)", { limit: 30_000 })).data;
    expect(many.map(([cell]) => Number(cell))).toEqual(Array.from({ length: 30_000 }, (_, index) => index));
    expect(await answer("SELECT 1 WHERE false")).toMatchObject({ rows: 0, data: [], columns: [{ name: "1" }] });
  });

  it("reads a table as it was", async () => {
    // The log has a commit a moment after it counts, together with what follows it in that moment.
    await vi.waitUntil(reached(0), { timeout: 20_000 });
    await load("sales", "2024-01-03,3,\n");
    await vi.waitUntil(reached(1), { timeout: 20_000 });
    const counts = await answer(
      "SELECT (SELECT count(*) FROM sales.sold AT (VERSION => 0)), (SELECT count(*) FROM sales.sold)",
    );
    expect(counts.data).toEqual([["2", "3"]]);
  });

  it("says that a version is gone of which vacuum deleted files", async () => {
    const { data } = await answer("FROM sales.by_day ORDER BY ALL");
    const byDay = join(folder, "sales/lake/by_day");
    const lines = (await readFile(join(byDay, "_delta_log", `${"0".repeat(20)}.json`), "utf8")).split("\n");
    const [path = ""] = lines.flatMap((line) => (line.includes('"add"') ? [String(JSON.parse(line).add.path)] : []));
    await rm(join(byDay, path));
    const detail =
      'Version 0 of table "by_day" can no longer be read, for vacuum deleted files of it; ask for a later one.';
    expect(await (await query({ sql: "FROM sales.by_day AT (VERSION => 0)" })).json()).toMatchObject({
      status: 404,
      detail,
    });
    for (const path of ["by_day?version=0", "by_day.csv?version=0"])
      expect(await (await ask("GET", `/tables/sales/${path}`)).json()).toMatchObject({ status: 404, detail });
    expect((await answer("FROM sales.by_day ORDER BY ALL")).data).toEqual(data);
  });

  it.each([
    [
      "SELECT * FROM sold",
      400,
      "query-refused",
      'Several stacks have a table "sold"; name one of "sales".sold, "other-shop".sold',
    ],
    ["SELECT * FROM nothing.sold", 404, "no-such-table", 'There is no table "nothing.sold" that you may see'],
    ["SELECT * FROM idle.sold", 404, "no-such-table", "The table idle.sold is empty: its first run makes its columns."],
    ["FROM sales.sold AT (VERSION => 99)", 404, "no-such-version", 'Table "sold" has no version 99'],
    [" ", 400, "bad-request", "sql: is empty; write one SELECT, such as FROM stack.table"],
    ["DROP TABLE sales.sold", 400, "query-refused", "The query cannot be answered. It must be one SELECT statement."],
    [
      "SELECT * FROM my-sales.sold",
      400,
      "query-refused",
      'The query cannot be answered. It must be one SELECT statement. syntax error at or near "-"; in a stack\'s name write _ for it, or the name in quotes.',
    ],
    ["SELECT * FROM '/etc/passwd'", 404, "no-such-table", 'There is no table "/etc/passwd" that you may see'],
    ["SELECT missing FROM sales.sold", 400, "query-refused", 'Referenced column "missing" not found'],
  ])("%s is a problem", async (sql, status, code, detail) => {
    const problem = Problem.parse(await (await query({ sql })).json());
    expect(problem).toMatchObject({
      status,
      type: `urn:cais:problem:${code}`,
      detail: expect.stringContaining(detail),
    });
  });

  it("is stopped when it takes too long", async () => {
    // A limit that is short for this one is short for the others, too, on a busy machine.
    const others = { ...configOf(salesStack()), api: { host: "127.0.0.1", port: 0 } };
    const hasty = await startProcessor(others, { engines, dataFolder: join(folder, "hasty"), querySeconds: 2 });
    const asked = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sql: endless }),
    };
    const problem = Problem.parse(await (await fetch(`${hasty.url}/v1/query`, asked)).json());
    await hasty.stop();
    expect(problem).toMatchObject({
      status: 422,
      type: "urn:cais:problem:query-too-large",
      detail: "The query was too large. It took longer than 2 seconds and was stopped. Ask for less at a time.",
    });
  });

  it("sees only the stacks of the caller's token", async () => {
    expect((await query({ sql: "SELECT count(*) FROM sold" }, salesToken)).status).toBe(200);
    const refused = await query({ sql: "SELECT * FROM sales.sold, other_shop.sold o" }, salesToken);
    expect(await refused.json()).toMatchObject({
      status: 404,
      detail: 'There is no table "other_shop.sold" that you may see; GET /v1/tables lists them.',
    });
  });

  it("ends with its connection, and leaves nothing behind", async () => {
    const gone = new AbortController();
    const sent = ask("POST", "/query", JSON.stringify({ sql: endless }), master, gone.signal);
    const queries = join(folder, "work/queries");
    await expect
      .poll(() =>
        readdir(queries).then(
          (names) => names.length,
          () => 0,
        ),
      )
      .toBe(1);
    gone.abort();
    await expect(sent).rejects.toThrow("abort");
    await expect.poll(() => readdir(queries)).toEqual([]);
    expect((await answer("SELECT 1")).data).toEqual([["1"]]);
  });
});
