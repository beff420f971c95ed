/**
 * The process that runs one run's SQL. It holds no secret and no connection, and dies with the processor.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { Unreadable } from "../contract/records.ts";
import { openDuckDB } from "./duckdb.ts";
import { type Reply, Request } from "./messages.ts";
import { SqlRefused } from "./select.ts";
import { attachTable, checkContract, makeTable, writeCsv } from "./work.ts";

/** What Node and DuckDB take beside the memory that DuckDB accounts for. */
const OVERHEAD_BYTES = 600e6;

let folder = "";
let connection: DuckDBConnection | undefined;

async function answer(request: Request): Promise<unknown> {
  if (request.do === "open") {
    ({ folder } = request);
    ({ connection } = await openDuckDB(folder, request.limits));
    watchMemory(request.limits.memoryBytes + OVERHEAD_BYTES);
    return null;
  }
  if (connection === undefined) throw new Error("The engine is not open.");
  switch (request.do) {
    case "contract":
      return checkContract(connection, folder, request.file, request.contract);
    case "table":
      return makeTable(connection, folder, request);
    case "attach":
      return attachTable(connection, request.name, request.files);
    case "csv":
      return writeCsv(connection, folder, request.table);
  }
}

const say = (reply: Reply) => process.send?.(reply);

/** DuckDB's limit leaves out some of what it allocates, so the whole process has one too. */
function watchMemory(limit: number): void {
  setInterval(() => {
    const bytes = process.memoryUsage.rss();
    if (bytes < limit) return;
    process.send?.({ as: "out of memory", bytes } satisfies Reply, () => process.exit(1));
  }, 200).unref();
}

process.on("message", (message) => {
  answer(Request.parse(message)).then(
    (result) => say({ as: "done", result }),
    (error: unknown) => {
      const fault = error instanceof Unreadable ? "unreadable" : error instanceof SqlRefused ? "refused" : "engine";
      say({ as: "failed", fault, message: error instanceof Error ? error.message : String(error) });
    },
  );
});
process.on("disconnect", () => process.exit(1));
// Ctrl-C reaches every process of a terminal; the processor decides what becomes of a run.
process.on("SIGINT", () => undefined);
