import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type SinkOptions, sinkKinds } from "@cais/spec/sinks.ts";
import type { Table } from "@cais/spec/stack.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { z } from "zod";
import { testFolder } from "../../processor-for-tests.ts";
import { guardAddresses } from "../address.ts";
import { DeliveryDelayed, type Payload, type Turn } from "../index.ts";
import { biSink } from "./index.ts";
import { limits, type PowerBi, refreshed, startPowerBi } from "./power-bi-for-tests.ts";

let folder: string;
let clock: number;
let bi: PowerBi;
beforeEach(async () => {
  folder = await testFolder("bi");
  clock = Date.parse("2024-01-02T03:00:00Z");
  bi = await startPowerBi(() => clock);
});
afterEach(async () => {
  await bi.close();
  await rm(folder, { recursive: true });
});

type Asked = Partial<z.input<(typeof sinkKinds)["bi"]>>;

function open(asked: Asked = {}, disposition: Table["disposition"] = "append") {
  const options: SinkOptions<"bi"> = sinkKinds.bi.parse({ table: "sold", url: { secret: "push" }, ...asked });
  const addresses = guardAddresses(["127.0.0.0/8"]);
  return biSink(options, { disposition, addresses, folder: join(folder, "sinks"), now: () => clock });
}

let files = 0;

async function rowsFile(rows: Record<string, unknown>[], columns = Object.keys(rows[0] ?? {})): Promise<Payload> {
  files += 1;
  const file = join(folder, `${files}.ndjson`);
  const head = { columns: columns.map((name) => ({ name, type: "VARCHAR" })) };
  await writeFile(file, `${JSON.stringify(head)}\n${rows.map((row) => `${JSON.stringify(row)}\n`).join("")}`);
  return { file, rows: rows.length, bytes: 0 };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => ({ n: from + i }));

/** A turn whose progress is kept in `kept`, as the ledger does. */
function turn(kept: { progress?: unknown } = {}): Turn {
  const secrets: Record<string, string> = { push: bi.pushUrl, rest: bi.restUrl, app: bi.credential };
  return {
    id: "run-0-bi-sold",
    run: "run",
    progress: kept.progress ?? null,
    save: async (progress) => void (kept.progress = JSON.parse(JSON.stringify(progress))),
    signal: new AbortController().signal,
    secret: async (name) => secrets[name] ?? "",
  };
}

/** Delivers as the sender does, moving the clock where it would wait; gives the seconds waited. */
async function deliver(sink: ReturnType<typeof open>, payload: Payload, kept: { progress?: unknown } = {}) {
  let waited = 0;
  for (;;)
    try {
      await sink.deliver(payload, turn(kept));
      return waited;
    } catch (error) {
      if (!(error instanceof DeliveryDelayed) || error.counts) throw error;
      clock += error.afterSeconds * 1000;
      waited += error.afterSeconds;
    }
}

const refused = () => bi.answers.filter((answer) => !answer.endsWith("200"));

it("pushes what a run added, 10,000 rows a POST, without a token", async () => {
  const sink = open();
  expect(sink.delivers).toMatchObject({ table: "sold", of: "run" });
  const kept = {};
  expect(await deliver(sink, await rowsFile(numbers(0, 25_000)), kept)).toBe(0);
  expect(bi.rows).toEqual(numbers(0, 25_000));
  expect(bi.answers).toEqual(["POST 200", "POST 200", "POST 200"]);
  expect(kept).toEqual({ progress: { row: 25_000, doubtful: false } });
  await deliver(sink, await rowsFile([], ["n"]));
  expect(bi.answers).toHaveLength(3);
});

it("keeps to 120 POSTs a minute, over many deliveries and sinks", async () => {
  const sinks = [open(), open({ rows: "all" })];
  const one = await rowsFile([{ n: 1 }]);
  const waits: number[] = [];
  for (let i = 0; i < 250; i += 1) waits.push(await deliver(sinks[i % 2] ?? open(), one));
  expect(bi.rows).toHaveLength(250);
  expect(waits.flatMap((wait, i) => (wait > 0 ? [[i, wait]] : []))).toEqual([
    [120, 60],
    [240, 60],
  ]);
  expect(refused()).toEqual([]);
});

it("keeps to 1,000,000 rows an hour and 120 POSTs an hour of a large table", async () => {
  bi.keeps = false;
  const sink = open();
  const million = await rowsFile(numbers(0, 1_010_000));
  expect(await deliver(sink, million)).toBe(3600);
  expect(bi.others).toBe(1_010_000);
  const one = await rowsFile([{ n: 1 }]);
  const waits: number[] = [];
  for (let i = 0; i < 120; i += 1) waits.push(await deliver(sink, one));
  expect(waits.filter((wait) => wait > 0)).toEqual([3600]);
  expect(refused()).toEqual([]);
});

it("has five POSTs on their way at most, though more sinks push to the dataset", async () => {
  const release = bi.hold();
  const one = await rowsFile([{ n: 1 }]);
  const outcomes = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const pushed = open().deliver(one, turn());
      pushed.catch(() => release());
      return pushed.then(
        () => "taken",
        (error: unknown) => (error instanceof DeliveryDelayed && !error.counts ? "waits" : error),
      );
    }),
  );
  expect(outcomes.toSorted()).toEqual(["taken", "taken", "taken", "taken", "taken", "waits"]);
  expect(refused()).toEqual([]);
});

it("waits as long as a 429 asks, and a minute if it does not say", async () => {
  bi.next = [{ status: 429, retryAfter: "120" }, { status: 429 }];
  expect(await deliver(open(), await rowsFile(numbers(0, 3)))).toBe(180);
  expect(bi.rows).toEqual(numbers(0, 3));
});

it("sends less at a time where a POST has too many bytes", async () => {
  bi.maxBytes = 20_000;
  await deliver(open(), await rowsFile(numbers(0, 4000)));
  expect(bi.rows).toEqual(numbers(0, 4000));
  bi.maxBytes = 10;
  await expect(deliver(open(), await rowsFile(numbers(0, 2)))).rejects.toThrow(
    expect.objectContaining({ name: "DeliveryRefused", message: "Row 1 has more bytes than Power BI takes." }),
  );
});

it("goes on where it broke off, and doubles a POST whose answer was lost, as it says", async () => {
  const sink = open();
  const payload = await rowsFile(numbers(0, 25_000));
  const kept = {};
  bi.next = [{ status: 503 }, "cut"];
  await expect(deliver(sink, payload, kept)).rejects.toThrow("Power BI answered 503 Fault.");
  await expect(deliver(sink, payload, kept)).rejects.toThrow(/cannot be reached/);
  expect(bi.rows).toHaveLength(10_000);
  await deliver(sink, payload, kept);
  expect(bi.rows).toEqual([...numbers(0, 10_000), ...numbers(0, 25_000)]);
  expect(sink.canDouble).toBe(
    "a POST whose answer was lost is sent again, so that its rows, 10,000 at most, may be there twice",
  );
});

it("deletes the rows before it pushes a table that each run makes anew, and begins again after a lost answer", async () => {
  const sink = open({ url: { secret: "rest" }, token: { secret: "app" } }, "replace");
  expect(sink.delivers).toMatchObject({ of: "table" });
  bi.rows = [{ n: "old" }];
  await deliver(sink, await rowsFile(numbers(0, 3)));
  expect(bi.rows).toEqual(numbers(0, 3));
  expect(bi.answers).toEqual(["token 200", "DELETE 200", "POST 200"]);
  const kept = {};
  const payload = await rowsFile(numbers(5, 15_005));
  bi.next = ["take", "cut"];
  await expect(deliver(sink, payload, kept)).rejects.toThrow(/cannot be reached/);
  expect(kept).toEqual({ progress: { row: 10_000, doubtful: true } });
  await deliver(sink, payload, kept);
  expect(bi.rows).toEqual(numbers(5, 15_005));
  bi.next = ["take", { status: 429, retryAfter: "1" }];
  await deliver(sink, payload);
  expect(bi.rows).toEqual(numbers(5, 15_005));
  expect(bi.answers.filter((answer) => answer.startsWith("DELETE"))).toHaveLength(4);
});

it("refuses before the first POST what Power BI would refuse, with column and row", async () => {
  const wide = Object.fromEntries(Array.from({ length: 76 }, (_, i) => [`c${i + 1}`, i]));
  const refusals: [Payload, string][] = [
    [
      await rowsFile([wide]),
      "sold has 76 columns, and Power BI takes 75; leave out c76 and those after it in the table's SQL.",
    ],
    [
      await rowsFile([
        { a: "x", note: "y" },
        { a: "x", note: "é".repeat(4001) },
      ]),
      "Row 2 of sold has 4,001 characters in the column note, and Power BI takes 4,000; write left(note, 4000) in the table's SQL.",
    ],
  ];
  for (const [payload, message] of refusals)
    await expect(deliver(open(), payload)).rejects.toThrow(
      expect.objectContaining({ name: "DeliveryRefused", message }),
    );
  expect(bi.answers).toEqual([]);
  const { c76: _, ...most } = wide;
  await deliver(open(), await rowsFile([{ ...most, c75: "é".repeat(4000) }]));
  expect(bi.answers).toEqual(["POST 200"]);
});

it("refuses what would make a table hold more than 5,000,000 rows", async () => {
  const file = join(folder, "sinks", "known.json");
  const { checkRows } = await import("./check.ts");
  const payload = await rowsFile(numbers(0, 11));
  if (!("file" in payload)) throw new Error("unreachable");
  await checkRows("sold", payload.file, { rows: 4_999_989, known: file });
  await expect(checkRows("sold", payload.file, { rows: 4_999_990, known: file })).rejects.toThrow(
    `sold has 11 rows to push beside the 4,999,990 that were pushed before, and Power BI keeps 5,000,000 in a table; push aggregates, or say replace: true. If its table was emptied there, delete ${file}.`,
  );
  expect(limits.rowsATable).toBe(5_000_000);
});

const ended = (at: number) => ({ event: { finishedAt: new Date(at).toISOString() } }) as Payload;

it("refreshes a dataset after its push, or alone after a run, once for all runs that ended before it began", async () => {
  await deliver(open({ token: { secret: "app" }, refresh: refreshed }), await rowsFile([{ n: 1 }]));
  expect(bi.answers).toEqual(["POST 200", "token 200", "refresh 202"]);
  const alone = open({ table: undefined, url: undefined, token: { secret: "app" }, refresh: refreshed });
  expect(alone).toMatchObject({ name: refreshed.dataset, delivers: { endings: ["done"] } });
  await deliver(alone, ended(clock - 1));
  expect(bi.answers).toHaveLength(3);
  clock += 5000;
  await deliver(alone, ended(clock - 1));
  expect(bi.answers.slice(3)).toEqual(["token 200", "refresh 202"]);
  for (let i = 0; i < 6; i += 1) await deliver(alone, ended((clock += 1000)));
  await expect(deliver(alone, ended((clock += 1000)))).rejects.toThrow(
    expect.objectContaining({
      name: "DeliveryDelayed",
      message:
        "Power BI takes no refresh now: one goes on, or those of the day are used up (eight on shared capacity).",
    }),
  );
});

it.each([
  ["push", "http://127.0.0.1:9/v1.0/other", 'The secret "push" must hold the address of a push dataset'],
  ["push", (): string => `${bi.pushUrl}x`, "Power BI refuses it (401 TokenInvalid); check the key"],
  [
    "push",
    (): string => bi.pushUrl.replace("cfafbeb1", "cfafbeb2"),
    "Power BI refuses it (404 ItemNotFound); check the address",
  ],
  ["app", "{}", 'The secret "app" must hold JSON with tenant, client and secret.'],
  [
    "app",
    (): string => bi.credential.replace("s&cret", "wr0ng"),
    "The authority gives the application no token (401 invalid_client)",
  ],
])("refuses a wrong secret %s without telling it", async (name, value, message) => {
  const sink = open({ token: { secret: "app" }, refresh: refreshed });
  const given = typeof value === "string" ? value : value();
  const wrong = { ...turn(), secret: async (asked: string) => (asked === name ? given : turn().secret(asked)) };
  const error: unknown = await sink.deliver(await rowsFile([{ n: 1 }]), wrong).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "DeliveryRefused", message: expect.stringContaining(message) });
  expect((error as Error).message).not.toMatch(/key=k|wr0ng|http:/);
});
