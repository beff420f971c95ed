import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Problem, RejectedRow, Run, Runs, Stacks, TableRows, Tables, Upload } from "@cais/spec/api.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
let url: string;

beforeAll(async () => {
  folder = await testFolder("api");
  // Named so that the page itself could be taken for an asset.
  const pageFolder = join(folder, "assets/page");
  await mkdir(join(pageFolder, "assets"), { recursive: true });
  await writeFile(join(pageFolder, "index.html"), "<title>Cais</title>");
  await writeFile(join(pageFolder, "assets/index-1.js"), "1");
  processor = await startProcessor(configOf(salesStack()), { engines, dataFolder: join(folder, "data"), pageFolder });
  ({ url } = processor);
});
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

const get = (path: string, headers: Record<string, string> = {}) => fetch(`${url}${path}`, { headers });
async function problem(response: Response): Promise<unknown> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const body = Problem.strict().parse(await response.json());
  expect(body.status).toBe(response.status);
  return body;
}
/** Sends raw bytes, for requests that fetch would not make. */
async function raw(request: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(request);
  return text(socket);
}

const Content = z.object({ content: z.record(z.string(), z.object({ schema: z.record(z.string(), z.unknown()) })) });
const Operation = z.object({ responses: z.record(z.string(), Content), requestBody: Content });
const Description = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });

describe("a file that is sent", () => {
  it("is taken, run and shown as rows", async () => {
    const content = 'day,amount,note\n2024-01-01,1.5,=cmd()\n2024-01-01,-1,x\nnever,2,\n2024-01-02,7,"a ""b"""\n';
    const response = await send(url, "sales", content, "Vendas março.csv");
    expect(response.status).toBe(202);
    const upload = Upload.strict().parse(await response.json());
    expect(upload).toMatchObject({ stack: "sales", name: "Vendas março.csv", bytes: Buffer.byteLength(content) });
    const run = Run.strict().parse(await ended(url, upload.id));
    expect(run).toMatchObject({
      state: "done",
      error: null,
      attempts: 1,
      rows: { read: 4, clean: 2, rejected: 2 },
      file: { name: "Vendas março.csv", sha256: upload.sha256 },
    });
    expect(run.steps.map(({ name }) => name)).toEqual([
      "contract",
      "tables/sold",
      "tables/by_day",
      "commit",
      "sinks/csv/sold",
    ]);
    expect(run.steps.every(({ finishedAt }) => finishedAt !== null)).toBe(true);
    expect(await readFile(join(folder, "data/sales/input", run.file.key), "utf8")).toBe(content);
    const received = await get(`/v1/runs/${upload.id}/file`);
    expect(await received.text()).toBe(content);
    expect(Object.fromEntries(received.headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": String(Buffer.byteLength(content)),
      "content-disposition": "attachment; filename=\"Vendas mar_o.csv\"; filename*=UTF-8''Vendas%20mar%C3%A7o.csv",
      "x-content-type-options": "nosniff",
    });

    const treated = `day,amount,note\r\n2024-01-01,1.5,'=cmd()\r\n2024-01-02,7.0,"a ""b"""\r\n`;
    expect(await readFile(join(folder, "data/sales/output/out/sold.csv"), "utf8")).toBe(treated);
    const download = await get("/v1/tables/sales/sold.csv");
    expect(download.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(await download.text()).toBe(treated);

    const page = TableRows.strict().parse(await (await get("/v1/tables/sales/by_day")).json());
    expect(page).toMatchObject({ layer: "gold", rows: 2, offset: 0, columns: [{ name: "day", type: "DATE" }, {}, {}] });
    expect(page.data).toEqual([
      { day: "2024-01-01", amount: 1.5, sales: 1 },
      { day: "2024-01-02", amount: 7, sales: 1 },
    ]);
    const second = TableRows.parse(await (await get("/v1/tables/sales/by_day?limit=1&offset=1")).json());
    expect(second.data).toEqual([{ day: "2024-01-02", amount: 7, sales: 1 }]);

    const rejected = (await (await get(`/v1/runs/${upload.id}/rejected`)).text()).trimEnd().split("\n");
    expect(rejected.map((line) => RejectedRow.strict().parse(JSON.parse(line)))).toEqual([
      { row: 3, member: null, column: "amount", reason: "is below 0", value: "-1", text: "2024-01-01,-1,x" },
      { row: 4, member: null, column: "day", reason: "is not a date (YYYY-MM-DD)", value: "never", text: "never,2," },
    ]);
    const csv =
      'row,member,column,reason,value,text\r\n3,,amount,is below 0,-1,"2024-01-01,-1,x"\r\n4,,day,is not a date (YYYY-MM-DD),never,"never,2,"\r\n';
    expect(await (await get(`/v1/runs/${upload.id}/rejected?format=csv`)).text()).toBe(csv);
    expect(await (await get(`/v1/runs/${upload.id}/rejected`, { accept: "text/csv" })).text()).toBe(csv);
    expect(Stacks.strict().parse(await (await get("/v1/stacks")).json()).stacks[0]?.name).toBe("sales");
    expect(Tables.strict().parse(await (await get("/v1/tables")).json()).tables).toMatchObject([
      { rows: 2 },
      { rows: 2 },
    ]);
  });

  it("is loaded once by its content, and again when asked", async () => {
    const content = "day,amount,note\n2030-01-01,1,once\n";
    const first = Upload.parse(await (await send(url, "sales", content)).json());
    const known = await send(url, "sales", content, "other name.csv");
    expect(known.status).toBe(200);
    expect(await known.json()).toEqual({ ...first, name: "other name.csv" });
    const again = await send(url, "sales", content, "file.csv", "?again=true");
    expect(again.status).toBe(202);
    const { id } = Upload.parse(await again.json());
    expect(id).not.toBe(first.id);
    await ended(url, id);
    expect(await (await get("/v1/tables/sales/sold.csv")).text()).toMatch(/(2030-01-01,1.0,once\r\n){2}$/);
  });

  it("is taken once when sent many times at the same moment", async () => {
    const content = "day,amount,note\n2031-01-01,1,at once\n";
    const answers = await Promise.all(Array.from({ length: 6 }, () => send(url, "sales", content)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 200, 202]);
    const ids = await Promise.all(answers.map(async (answer) => Upload.parse(await answer.json()).id));
    expect(new Set(ids).size).toBe(1);
    await ended(url, ids[0] ?? "");
    const inputs = await readdir(join(folder, "data/sales/input"), { recursive: true });
    const { runs } = Runs.parse(await (await get("/v1/runs")).json());
    expect(inputs.filter((name) => name.endsWith(".csv"))).toHaveLength(runs.length);
  });

  it("may be the body itself, with any type or none", async () => {
    for (const [n, type] of ["text/csv", "application/json", "text/plain", ""].entries()) {
      const response = await fetch(`${url}/v1/stacks/sales/files?name=raw%20${n}.CSV`, {
        method: "POST",
        headers: type === "" ? {} : { "content-type": type },
        body: Buffer.from(`day,amount,note\n2032-01-0${n + 1},1,raw\n`),
      });
      expect(response.status).toBe(202);
      const upload = Upload.parse(await response.json());
      expect(upload.name).toBe(`raw ${n}.CSV`);
      expect((await ended(url, upload.id)).state).toBe("done");
    }
  });

  it.each([
    [
      "an unknown stack",
      () => send(url, "nothing", "x"),
      404,
      "no-such-stack",
      'There is no stack "nothing"; this processor was started with sales.',
    ],
    [
      "another format",
      () => send(url, "sales", "x", "a.xlsx"),
      415,
      "not-this-format",
      "The stack takes files called .csv, .txt, each also as .gz, or .zip, but this one is called a.xlsx.",
    ],
    [
      "no name",
      () => fetch(`${url}/v1/stacks/sales/files`, { method: "POST", body: "x" }),
      400,
      "bad-request",
      "The file has no name; send a form with a file, or add ?name= to the address.",
    ],
    [
      "a name with a folder",
      () => fetch(`${url}/v1/stacks/sales/files?name=..%2Fa.csv`, { method: "POST", body: "x" }),
      400,
      "bad-request",
      "The request is not right: name: must be a name alone, of 1 to 255 characters: no folder, no control character.",
    ],
    [
      "no file in the form",
      () => {
        const form = new FormData();
        form.append("other", "x");
        return fetch(`${url}/v1/stacks/sales/files`, { method: "POST", body: form });
      },
      400,
      "bad-request",
      "The form has no file; send it in a part named file.",
    ],
    [
      "a form that is none",
      () =>
        fetch(`${url}/v1/stacks/sales/files`, {
          method: "POST",
          headers: { "content-type": "multipart/form-data" },
          body: "x",
        }),
      400,
      "bad-request",
      expect.any(String),
    ],
    [
      "a form cut short",
      () =>
        fetch(`${url}/v1/stacks/sales/files`, {
          method: "POST",
          headers: { "content-type": "multipart/form-data; boundary=b" },
          body: '--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nhalf',
        }),
      400,
      "bad-request",
      expect.any(String),
    ],
  ])("is refused with %s", async (_, request, status, code, detail) => {
    expect(await problem(await request())).toEqual({
      type: `urn:cais:problem:${code}`,
      title: expect.any(String),
      status,
      detail,
    });
  });

  it.each([
    ["that says so", false],
    ["that does not say so", true],
  ])("is refused when it is too large, %s, and nothing is kept", async (_, chunked) => {
    const before = await readdir(join(folder, "data/sales/input"), { recursive: true });
    const bytes = new Uint8Array(2_000_000).fill(97);
    const body = chunked ? new Blob([bytes]).stream() : bytes;
    const init: RequestInit = { method: "POST", body, ...(chunked && { duplex: "half" as const }) };
    const response = await fetch(`${url}/v1/stacks/sales/files?name=large.csv`, init);
    expect(await problem(response)).toMatchObject({
      status: 413,
      type: "urn:cais:problem:too-large",
      detail: "The file is larger than the 1,000,000 bytes that the stack takes.",
    });
    expect((await send(url, "sales", new Blob([bytes]))).status).toBe(413);
    expect(await readdir(join(folder, "data/sales/input"), { recursive: true })).toEqual(before);
    expect(
      (await send(url, "sales", "day,amount,note\n2024-01-01,1.5,=cmd()\n", "file.csv", "?again=true")).status,
    ).toBe(202);
  });
});

describe("an address", () => {
  it.each([
    ["/nothing", 404, "no-such-address"],
    ["/v1/nothing", 404, "no-such-address"],
    ["/v1/runs/nothing", 404, "no-such-run"],
    ["/v1/runs/nothing/rejected", 404, "no-such-run"],
    ["/v1/runs?before=nothing", 404, "no-such-run"],
    ["/v1/runs?limit=0", 400, "bad-request"],
    ["/v1/runs?state=happy", 400, "bad-request"],
    ["/v1/tables/sales/nothing", 404, "no-such-table"],
    ["/v1/tables/sales/SOLD", 404, "no-such-table"],
    ["/v1/tables/sales/a%22b", 400, "bad-request"],
    ["/v1/tables/sales/sold?offset=-1", 400, "bad-request"],
    ["/%E0%A4%A", 400, "bad-request"],
    ["/assets/..%2f..%2f..%2fdata%2fledger.sqlite", 404, "no-such-address"],
  ])("%s is a problem", async (path, status, code) => {
    expect(await problem(await get(path))).toMatchObject({ status, type: `urn:cais:problem:${code}` });
  });

  it.each([
    ["/v1/runs?limit=x", "limit: must be a whole number from 1 to 500"],
    ["/v1/tables/sales/sold?offset=1e20", "offset: must be a whole number from 0 to 9007199254740991"],
    [`/v1/runs/${"x".repeat(65)}`, "id: must have at most 64 characters"],
  ])("%s is refused with one sentence", async (path, mistake) => {
    expect(await problem(await get(path))).toMatchObject({ detail: `The request is not right: ${mistake}.` });
  });

  it("answers what is no HTTP with a problem", async () => {
    expect(await raw("nonsense\r\n\r\n")).toMatch(
      /^HTTP\/1.1 400 Bad Request\r\ncontent-type: application\/problem\+json/,
    );
  });

  it("lists runs by pages", async () => {
    const all = Runs.parse(await (await get("/v1/runs?stack=sales&limit=500")).json());
    expect(all.next).toBeNull();
    const first = Runs.parse(await (await get("/v1/runs?limit=2")).json());
    const rest = Runs.parse(await (await get(`/v1/runs?limit=500&before=${first.next}`)).json());
    expect([...first.runs, ...rest.runs].map(({ id }) => id)).toEqual(all.runs.map(({ id }) => id));
    expect(Runs.parse(await (await get("/v1/runs?state=failed")).json()).runs).toEqual([]);
  });

  it("tells that it is healthy, ready and what it did", async () => {
    expect(await (await get("/healthz")).json()).toEqual({ healthy: true });
    expect(await (await get("/readyz")).json()).toEqual({ ready: true, notReady: [] });
    const metrics = await (await get("/metrics")).text();
    expect(metrics).toMatch(/^cais_runs_total\{stack="sales",state="done",kind="load"\} \d+$/m);
    expect(metrics).toMatch(/^cais_rows_total\{stack="sales",kind="rejected"\} 2$/m);
    expect(metrics).toMatch(/^cais_step_seconds_count\{stack="sales",step="contract"\} \d+$/m);
    expect(metrics).toMatch(/^cais_queue_runs\{state="queued"\} \d+$/m);
    expect(metrics).toMatch(/^cais_received_bytes_total\{stack="sales"\} \d+$/m);
  });

  it("describes itself whole", async () => {
    const { paths } = Description.parse(await (await get("/openapi.json")).json());
    expect(Object.keys(paths).toSorted()).toEqual([
      "/healthz",
      "/metrics",
      "/readyz",
      "/v1/audit",
      "/v1/deliveries",
      "/v1/deliveries/{delivery}/retry",
      "/v1/gc",
      "/v1/query",
      "/v1/runs",
      "/v1/runs/{id}",
      "/v1/runs/{id}/file",
      "/v1/runs/{id}/lineage",
      "/v1/runs/{id}/rejected",
      "/v1/runs/{id}/replays",
      "/v1/runs/{id}/reruns",
      "/v1/sinks",
      "/v1/stacks",
      "/v1/stacks/{stack}/files",
      "/v1/stacks/{stack}/reruns",
      "/v1/tables",
      "/v1/tables/{stack}/{table}",
      "/v1/tables/{stack}/{table}.csv",
      "/v1/tables/{stack}/{table}/optimize",
      "/v1/tables/{stack}/{table}/rewind",
      "/v1/tables/{stack}/{table}/vacuum",
      "/v1/tables/{stack}/{table}/versions",
    ]);
    const { responses, requestBody } = Operation.parse(paths["/v1/stacks/{stack}/files"]?.["post"]);
    expect(Object.keys(responses)).toEqual([
      "200",
      "202",
      "400",
      "403",
      "404",
      "408",
      "409",
      "413",
      "415",
      "422",
      "500",
      "503",
      "507",
    ]);
    expect(Object.keys(requestBody.content)).toEqual(["multipart/form-data", "text/csv", "application/octet-stream"]);
    expect(responses["413"]?.content["application/problem+json"]?.schema["required"]).toEqual([
      "type",
      "title",
      "status",
      "detail",
    ]);
  });

  it("serves the page with headers that keep it to itself", async () => {
    const page = await get("/");
    expect(await page.text()).toBe("<title>Cais</title>");
    expect(page.headers.get("content-security-policy")).toBe(
      "default-src 'self';style-src 'self' 'unsafe-inline';img-src 'self' data:;object-src 'none';base-uri 'none';form-action 'self';frame-ancestors 'none'",
    );
    expect(page.headers.get("x-content-type-options")).toBe("nosniff");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    expect((await get("/assets/index-1.js")).headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect((await get("/v1/runs")).headers.get("cache-control")).toBe("no-store");
  });
});
