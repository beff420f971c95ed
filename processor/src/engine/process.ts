/**
 * The process that runs a stack's SQL. It holds no secret and no connection, and dies with the processor. A session opens
 * a DuckDB of its own, so that its folder and its limits are those of the session; each run in it has a connection of its
 * own, and temporary views, so that nothing of one run is seen by the next.
 */
import { flushCompileCache } from "node:module";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { Unreadable } from "../contract/records.ts";
import { type SmallChecks, smallChecks } from "../contract/small.ts";
import { checkContract } from "./contract.ts";
import { write } from "../sinks/write.ts";
import { openDuckDB, sentenceOf } from "./duckdb.ts";
import { type Reads, type Reply, Request } from "./messages.ts";
import { answer, sourcesOf } from "./query.ts";
import { wholeBecause } from "./row-wise.ts";
import { SqlRefused, tablesRead } from "./select.ts";
import { foldTable, mergeTable } from "./merge.ts";
import { attachTable, convert, makeTable, reading, rewrite } from "./tables.ts";

/** What Node and DuckDB take beside the memory that DuckDB accounts for. */
const OVERHEAD_BYTES = 600e6;

let instance: DuckDBInstance | undefined;
let connection: DuckDBConnection | undefined;
let small: SmallChecks | undefined;
let limitBytes = Number.POSITIVE_INFINITY;

function close(): void {
  small?.close();
  connection?.closeSync();
  instance?.closeSync();
  connection = undefined;
  instance = undefined;
}

async function reply(request: Request): Promise<unknown> {
  if (request.do === "open") {
    close();
    limitBytes = request.limits.memoryBytes + OVERHEAD_BYTES;
    ({ instance, connection } = await openDuckDB(request.folder, request.limits));
    small = smallChecks(instance);
    return null;
  }
  if (request.do === "close") {
    close();
    return { bytes: process.memoryUsage.rss() };
  }
  if (connection === undefined || instance === undefined) throw new Error("The engine is not open.");
  switch (request.do) {
    case "begin":
      connection.closeSync();
      connection = await instance.connect();
      return null;
    case "contract":
      return checkContract(connection, request, small);
    case "table":
      return makeTable(connection, request);
    case "attach":
      return attachTable(connection, request.name, request.files, request.columns);
    case "merge":
      return mergeTable(connection, request);
    case "fold":
      return foldTable(connection, request);
    case "rewrite":
      return rewrite(connection, request);
    case "convert":
      return convert(connection, request);
    case "write": {
      const open = connection;
      return reading(open, () => write(open, request));
    }
    case "sources":
      return sourcesOf(connection, request.sql);
    case "answer":
      return answer(connection, request);
    case "reads": {
      const reads: Reads = {};
      for (const { name, sql } of request.tables) {
        const tables = await tablesRead(connection, sql);
        reads[name] = { tables, whole: await wholeBecause(connection, sql) };
      }
      return reads;
    }
  }
}

type Fault = Extract<Reply, { as: "failed" }>["fault"];

/** Whose fault an error is. DuckDB begins its messages with the kind of error. */
function faultOf(error: unknown, message: string): Fault {
  if (error instanceof Unreadable) return "unreadable";
  if (error instanceof SqlRefused) return "refused";
  if (/No space left on device|max_temp_directory_size/.test(message)) return "disk";
  if (/Out of Memory Error/.test(message)) return "memory";
  // After these DuckDB answers no query any more.
  return /\b(FATAL|INTERNAL) Error/.test(message) ? "broken" : "engine";
}

const say = (reply: Reply) => process.send?.(reply);

/** DuckDB's limit leaves out some of what it allocates, so the whole process has one too. */
function watchMemory(): void {
  setInterval(() => {
    const bytes = process.memoryUsage.rss();
    if (bytes < limitBytes) return;
    process.send?.({ as: "out of memory", bytes } satisfies Reply, () => process.exit(1));
  }, 200).unref();
}

watchMemory();
// Node would do it at a polite end, which an engine seldom has. The next one starts in half of the time.
flushCompileCache();
process.on("message", (message) => {
  reply(Request.parse(message)).then(
    (result) => say({ as: "done", result }),
    (error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      const fault = faultOf(error, text);
      say({ as: "failed", fault, message: error instanceof Unreadable ? text : sentenceOf(text) });
    },
  );
});
process.on("disconnect", () => process.exit(1));
// Ctrl-C reaches every process of a terminal; the processor decides what becomes of a run.
process.on("SIGINT", () => undefined);
