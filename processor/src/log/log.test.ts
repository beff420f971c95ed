import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { startProcessor } from "../main.ts";
import { configOf, salesStack, testFolder } from "../processor-for-tests.ts";
import { openLog, printed } from "./index.ts";

let folder: string;
beforeAll(async () => {
  folder = await testFolder("log");
});
afterAll(() => rm(folder, { recursive: true }));

const TOKEN = "marked-token-0123456789-0123456789-0123456789";
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const Line = z.looseObject({ msg: z.string(), reqId: z.string().optional() });

function listen(): { lines: z.output<typeof Line>[]; log: ReturnType<typeof openLog>; text: () => string } {
  const written: string[] = [];
  const lines: z.output<typeof Line>[] = [];
  const write = (line: string) => {
    written.push(line);
    lines.push(Line.parse(JSON.parse(line)));
  };
  return { lines, log: openLog("trace", { write }), text: () => written.join("") };
}

it("tells of requests and runs, whatever became of them, without cells, names or tokens", async () => {
  const { lines, log, text } = listen();
  const stack = salesStack();
  // A SQL error that quotes the cell that it was about.
  const failing = {
    ...stack.sql,
    "by_day.sql": "SELECT day, sum(amount / note::DOUBLE) AS amount FROM sold GROUP BY day",
  };
  const config = configOf({ ...stack, sql: failing });
  const processor = await startProcessor(config, { dataFolder: join(folder, "run"), log, token: TOKEN });
  const headers = { authorization: `Bearer ${TOKEN}`, traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
  const send = async (name: string, body: string, more: Record<string, string> = headers) => {
    const response = await fetch(`${processor.url}/v1/stacks/sales/files?name=${name}`, {
      method: "POST",
      headers: more,
      body,
    });
    return { id: response.headers.get("x-request-id"), status: response.status };
  };
  const files = [
    "day,amount,note\n2024-01-01,1,marked-cell\n",
    "day,amount,note\n2024-01-01,marked-amount,x\n",
    "marked-header,b\nmarked-row,2\n",
    "\u0000marked-nul\u0000",
  ];
  const ids: (string | null)[] = [];
  for (const body of files) ids.push((await send("marked-name.csv", body)).id);
  expect((await send("marked-name.exe", "marked")).status).toBe(415);
  expect((await send("marked-name.csv", "marked", { authorization: "Bearer marked-wrong" })).status).toBe(401);
  const endings = () => lines.filter(({ msg }) => msg === "run ended");
  await expect.poll(() => endings().length, { timeout: 20_000 }).toBe(files.length);
  await processor.stop();

  expect(text()).not.toContain("marked");
  for (const line of endings()) expect(line).toMatchObject({ stack: "sales", run: expect.any(String), trace: TRACE });
  for (const id of ids)
    expect(lines.filter(({ reqId }) => reqId === id)).toContainEqual(
      expect.objectContaining({ method: "POST", route: "/v1/stacks/:stack/files", status: 202, trace: TRACE }),
    );
});

it("tells where an error was thrown, but not what it quotes", () => {
  const { lines, log, text } = listen();
  const quoting = new Error('Conversion Error: Could not convert string "marked" to DOUBLE');
  const named = Object.assign(new Error("The row marked cannot be read"), { name: "Unreadable" });
  const full = Object.assign(new Error("write failed"), { code: "ENOSPC", cause: quoting });
  for (const error of [quoting, named, full, "marked"]) log.error({ err: error, token: "marked" }, "failed");
  expect(text()).not.toContain("marked");
  expect(lines.map(({ err }) => err)).toMatchObject([
    { type: "Error", message: "Conversion Error", stack: expect.stringContaining("log.test.ts") },
    { type: "Unreadable", message: "(not told: it may quote a file)" },
    { type: "Error", message: "write failed", code: "ENOSPC", cause: { message: "Conversion Error" } },
    { type: "string", message: "(not told)" },
  ]);
});

it("tells what the system said, but not of which file", async () => {
  const { lines, log } = listen();
  const from = join(folder, "marked's.csv");
  const [gone, kept] = await Promise.allSettled([readFile(from), rename(from, join(folder, "marked"))]);
  for (const result of [gone, kept]) if (result.status === "rejected") log.error({ err: result.reason }, "failed");
  expect(lines.map(({ err }) => err)).toMatchObject([
    { code: "ENOENT", message: "ENOENT: no such file or directory, open" },
    { code: "ENOENT", message: "ENOENT: no such file or directory, rename" },
  ]);
});

it("tells what a store said, but not of which object", () => {
  const { lines, log } = listen();
  const key = JSON.stringify('2024-01-01/x/marked "1" \\ç.csv');
  for (const what of [`PUT of the object ${key} in "c" was refused`, `The object key ${key} is "reserved"`])
    log.error({ err: new Error(what) }, "failed");
  expect(lines.map(({ err }) => err)).toMatchObject([
    { message: 'PUT of the object in "c" was refused' },
    { message: 'The object key is "reserved"' },
  ]);
});

it.each(["Not implemented", "Out of Range", "Invalid Input"])("tells no value in an error of DuckDB: %s", (kind) => {
  const { log, text } = listen();
  log.error({ err: new Error(`${kind} Error: Unknown TimeZone 'marked'!`) }, "failed");
  expect(text()).toContain(`"${kind} Error"`);
  expect(text()).not.toContain("marked");
  expect(printed(`${kind} Error: marked`)).toBe(`${kind} Error`);
});

it("tells what an engine printed, but not what it quotes", () => {
  expect(printed("Invalid Input Error: marked\n    at x.ts:1")).toBe("Invalid Input Error\n    at x.ts:1");
  expect(printed("FATAL ERROR: heap out of memory")).toBe("FATAL ERROR: heap out of memory");
});
