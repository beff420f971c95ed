import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { withLedger } from "./disk.ts";
import { type Load, tablesOf } from "./load.ts";
import { Wrong } from "./result.ts";

/** A line of a Delta log, as far as it is compared. */
const Action = z.object({
  add: z.object({ path: z.string(), stats: z.string() }).optional(),
  remove: z.object({ path: z.string() }).optional(),
  txn: z.object({ appId: z.string(), version: z.number() }).optional(),
});
const Stats = z.object({ numRecords: z.number() });

/** What a table is by its log: its newest version, and the rows of its files by their keys. */
interface Logged {
  version: number;
  files: Map<string, number>;
}

/** Reads a log line by line, without the product's own reader. None of its versions may be missing, or say what another said. */
async function readLog(lake: string, stack: string, table: string): Promise<Logged | undefined> {
  const folder = join(lake, table, "_delta_log");
  if (!existsSync(folder)) return undefined;
  const wrong = (what: string) => new Wrong(`${stack}: the log of ${table} ${what}.`);
  const names = (await readdir(folder)).filter((name) => /^\d{20}\.json$/.test(name)).toSorted();
  const files = new Map<string, number>();
  let batch = 0;
  for (const [version, name] of names.entries()) {
    if (name !== `${String(version).padStart(20, "0")}.json`) throw wrong(`has ${name} in the place of ${version}`);
    const lines = (await readFile(join(folder, name), "utf8")).trimEnd().split("\n");
    for (const { add, remove, txn } of lines.map((line) => Action.parse(JSON.parse(line)))) {
      if (remove !== undefined && !files.delete(`${table}/${remove.path}`))
        throw wrong(`removes ${remove.path}, which is not there, in version ${version}`);
      if (add !== undefined) {
        if (files.has(`${table}/${add.path}`)) throw wrong(`adds ${add.path} twice, the second time in ${version}`);
        files.set(`${table}/${add.path}`, Stats.parse(JSON.parse(add.stats)).numRecords);
      }
      if (txn === undefined) continue;
      if (txn.appId !== `${stack}/${table}` || txn.version <= batch)
        throw wrong(`has the batch ${txn.appId} ${txn.version} after ${batch}, in version ${version}`);
      batch = txn.version;
    }
  }
  for (const key of files.keys())
    if (!existsSync(join(lake, key))) throw wrong(`names ${key}, which is not in the lake`);
  return { version: names.length - 1, files };
}

/**
 * Checks the Delta logs that a processor has left: whole, each batch in them once, each file there. One that was stopped has
 * published everything: then each table is the same by its log and by the ledger.
 */
export async function checkLogs(folder: string, load: Load, isStopped: boolean): Promise<void> {
  for (const stack of Object.keys(load.config.stacks))
    for (const table of tablesOf(load, stack)) {
      const log = await readLog(join(folder, "data", stack, "lake"), stack, table);
      if (!isStopped) continue;
      const known = await withLedger(folder, (database) => ({
        files: database
          .prepare("SELECT key, rows FROM files WHERE stack = ? AND name = ? ORDER BY key")
          .all(stack, table)
          .map(({ key, rows }) => `${key} ${rows}`),
        version: database.prepare("SELECT version FROM tables WHERE stack = ? AND name = ?").get(stack, table)?.[
          "version"
        ],
        pending: database.prepare("SELECT id FROM publications WHERE stack = ? AND name = ?").all(stack, table).length,
      }));
      const files = [...(log?.files ?? [])].map(([key, rows]) => `${key} ${rows}`).toSorted();
      const is = JSON.stringify({ files, version: log?.version, pending: 0 });
      const should = JSON.stringify(known);
      if (is !== should) throw new Wrong(`${stack}: the log of ${table} is ${is}, but the ledger has ${should}.`);
    }
}
