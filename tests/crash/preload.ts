/**
 * Loaded into a processor before anything else (`node --import`). It counts what the process makes durable (files and the
 * ledger) and, at the point that it was given, kills it without a word. The product knows nothing of it.
 */
import { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { relative, resolve, sep } from "node:path";
import { DatabaseSync, StatementSync } from "node:sqlite";
import { z } from "zod";
import { setClock } from "./clock.ts";
import { type Moment, Orders, placeOf, type Told, type Traced } from "./point.ts";

const ordersFile = z.string().parse(process.env["CAIS_CRASH"]);
// The real ones: what is done here is not counted.
const { openSync, readFileSync, writeSync } = fs;
const readOrders = () => Orders.parse(JSON.parse(readFileSync(ordersFile, "utf8")));
let orders = readOrders();
const counts = new Map<string, number>();
let trace = openTrace();
process.on("SIGUSR2", () => {
  orders = readOrders();
  counts.clear();
  trace = openTrace();
  tell({ read: true });
});
const engines = new Set<ChildProcess>();
/** The step that was begun last, of whichever run. */
let step = "no run";

/** Tells the test, at once. */
function tell(what: Told): void {
  writeSync(2, `crash: ${JSON.stringify(what)}\n`);
}

function openTrace(): number | undefined {
  return orders.trace === null ? undefined : openSync(orders.trace, "a");
}

/** Counts an operation; says when in it the end comes, if this is the one. */
function reach(operation: string): Moment | undefined {
  const count = (counts.get(operation) ?? 0) + 1;
  counts.set(operation, count);
  if (trace !== undefined) writeSync(trace, `${JSON.stringify({ step, operation } satisfies Traced)}\n`);
  const { point, victim } = orders;
  if (point === null || point.operation !== operation || point.count !== count) return undefined;
  if (victim !== "processor") for (const engine of engines) engine.kill("SIGKILL");
  tell({ at: `${point.moment} ${operation}`, step });
  return victim === "engine" ? undefined : point.moment;
}

const die = () => process.kill(process.pid, "SIGKILL");

/** Does `work` as a counted operation. What can be done in part is done in `half` when the end comes within it. */
function counted(operation: string | undefined, work: () => unknown, half = work): unknown {
  const moment = operation === undefined ? undefined : reach(operation);
  if (moment === undefined) return work();
  if (moment === "before") die();
  const result = moment === "within" ? half() : work();
  // Within: it has begun, and how far it gets is left to chance.
  if (moment === "within" || !(result instanceof Promise)) die();
  return result instanceof Promise ? result.finally(die) : result;
}

/** Where an operation works, or undefined if that is none of the processor's data. */
function place(path: unknown): string | undefined {
  if (typeof path !== "string") return undefined;
  const below = relative(orders.data, resolve(path));
  return below.startsWith("..") ? undefined : placeOf(below.split(sep).join("/"));
}

/** Puts a counted function in the place of `name`; `where` tells its place from its arguments. */
function watch(target: object, name: string, where: (args: unknown[], self: object) => string | undefined): void {
  const real: unknown = Reflect.get(target, name);
  if (typeof real !== "function") throw new Error(`There is no ${name} to watch.`);
  function watched(this: object, ...args: unknown[]): unknown {
    const operation = where(args, this);
    const [data, ...rest] = args;
    const half = data instanceof Uint8Array ? [data.subarray(0, data.length >> 1), ...rest] : args;
    return counted(
      operation,
      () => Reflect.apply(real as () => unknown, this, args),
      () => Reflect.apply(real as () => unknown, this, half),
    );
  }
  Object.defineProperty(target, name, { value: watched, writable: true, configurable: true });
}

const at = (name: string, path: unknown) => {
  const found = place(path);
  return found && `${name} ${found}`;
};
const opensToWrite = (flags: unknown) =>
  typeof flags === "string"
    ? flags !== "r"
    : typeof flags === "number" && (flags & (fs.constants.O_WRONLY | fs.constants.O_RDWR)) !== 0;

for (const target of [fs.promises, fs])
  for (const suffix of target === fs ? ["", "Sync"] : [""]) {
    for (const name of ["rename", "link", "copyFile", "symlink"])
      watch(target, `${name}${suffix}`, ([, path]) => at(name, path));
    for (const name of ["unlink", "rm", "rmdir", "mkdir", "truncate", "writeFile", "appendFile"])
      watch(target, `${name}${suffix}`, ([path]) => at(name, path));
  }
watch(fs, "openSync", ([path, flags]) => (opensToWrite(flags) ? at("open", path) : undefined));

/** The files that are open, by what they were opened for. */
const files = new WeakMap<object, string>();
const openFile = fs.promises.open;
// A file's methods belong to a class that Node does not export.
const some = await openFile(process.execPath);
const FileHandle: object = Object.getPrototypeOf(some);
await some.close();
for (const name of ["write", "writev", "writeFile", "appendFile", "sync", "datasync", "truncate"])
  watch(FileHandle, name, (_, self) => {
    const found = files.get(self);
    return found && `${name} ${found}`;
  });
fs.promises.open = async (path, flags, mode) => {
  const open = openFile(path, flags, mode);
  const found = place(path);
  const file = await open;
  if (found !== undefined) files.set(file, found);
  return file;
};
watch(fs.promises, "open", ([path, flags]) => (opensToWrite(flags) ? at("open", path) : undefined));

// https://nodejs.org/docs/latest-v24.x/api/diagnostics_channel.html#built-in-channels
subscribe("child_process", (message) => {
  const { process: engine } = z.object({ process: z.instanceof(ChildProcess) }).parse(message);
  engines.add(engine);
  engine.once("exit", () => engines.delete(engine));
});
syncBuiltinESMExports();

/** The tables that the open transaction has written. */
const written = new Set<string>();
/** What a transaction is named by: the first of these that it wrote. */
const telling = [
  "files",
  "publications",
  "deliveries",
  "outputs",
  "idempotency_keys",
  "sources",
  "runs",
  "steps",
  "loose",
  "audit",
];

function statementOf(sql: string): string | undefined {
  const [, word = "", table = ""] =
    /^\s*(\w+)(?:\s+OR\s+\w+)?(?:\s+INTO|\s+FROM|\s+IMMEDIATE)?(?:\s+(\w+))?/i.exec(sql) ?? [];
  switch (word) {
    case "BEGIN":
      written.clear();
      return undefined;
    case "COMMIT":
      return `commit ${telling.find((one) => written.has(one)) ?? "nothing"}`;
    case "INSERT":
    case "UPDATE":
    case "DELETE":
      written.add(table);
      return `${word.toLowerCase()} ${table}`;
    default:
      return undefined;
  }
}
for (const name of ["run", "get", "all"])
  watch(StatementSync.prototype, name, (args, self) => {
    const statement = statementOf(self instanceof StatementSync ? self.sourceSQL : "");
    const named = args.find(
      (arg) => typeof arg === "string" && /^(contract|commit|tables\/.+|merge\/.+|sinks\/.+|after\/.+)$/.test(arg),
    );
    if (statement === "insert steps") step = String(named);
    if (statement === "delete steps") step = "before contract";
    return statement;
  });
// A migration and the like are many statements in one.
watch(DatabaseSync.prototype, "exec", ([sql]) =>
  typeof sql === "string" && !sql.startsWith("BEGIN") ? (statementOf(sql) ?? "exec other") : void written.clear(),
);

setClock(orders.clock);
