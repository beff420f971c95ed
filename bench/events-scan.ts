import { readFileSync } from "node:fs";
import { startMonitor } from "../processor/src/events/monitor.ts";
import type { ObjectHead, ObjectStore } from "../processor/src/object-store/index.ts";
import { openObjectStore } from "../processor/src/object-store/index.ts";
import type { OpenStack } from "../processor/src/runs/stack.ts";
import { pino } from "pino";
import { z } from "zod";

/**
 * One monitor alone in a process: `node bench/events-scan.ts <objects>` over a store that is simulated, or with a Swift
 * binding as JSON and its data folder over a real one. Every object is claimed already, as it is between two new ones. Writes
 * what it measured as JSON.
 */
const Arguments = z.union([
  z.tuple([z.coerce.number().int().positive()]),
  z.tuple([z.string().transform((text) => JSON.parse(text)), z.string()]),
]);
const given = Arguments.parse(process.argv.slice(2));

/** A thousand keys a day up to today, as a Swift listing gives them. */
async function* simulated(objects: number, prefix: string): AsyncGenerator<ObjectHead> {
  const today = Math.floor(Date.now() / 86_400_000);
  const days = Math.ceil(objects / 1000);
  for (let day = days - 1; day >= 0; day--) {
    const date = new Date((today - day) * 86_400_000);
    const folder = date.toISOString().slice(0, 10);
    if (prefix !== "" && prefix !== folder) continue;
    for (let n = 0; n < 1000; n++) {
      const key = `${folder}/file-${String(n).padStart(6, "0")}-of-a-sensor.csv`;
      yield { key, bytes: 10_000, version: `${date.getTime()}.${n}`, modifiedAt: date };
    }
  }
}

const [first, folder] = given;
const never = (): never => {
  throw new Error("A benchmark of listing reads no object.");
};
const real = typeof first === "number" ? undefined : await openObjectStore(first, folder ?? "");
const list = (prefix: string) =>
  real === undefined ? simulated(typeof first === "number" ? first : 0, prefix) : real.list(prefix);

const peak = () => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
const scans: { seconds: number; objects: number; cpu: number }[] = [];
const polls: number[] = [];
const before = peak();
let cpu = process.cpuUsage();

/** Times each folder of a day in which something is. */
async function* timed(prefix: string): AsyncGenerator<ObjectHead> {
  if (prefix === "") cpu = process.cpuUsage();
  const started = performance.now();
  let count = 0;
  for await (const object of list(prefix)) {
    count++;
    yield object;
  }
  if (prefix !== "" && count > 0) polls.push(performance.now() - started);
}

const input = { id: "bench", list: timed, get: never, head: never } as unknown as ObjectStore;
const stack = {
  config: {
    stack: { name: "bench", source: { upload: { formats: ["csv"], maxBytes: 1e9 } } },
    stores: { input: { driver: "swift" } },
  },
  input,
} as unknown as OpenStack;
const done = Promise.withResolvers<void>();
const monitor = startMonitor({
  stack,
  events: { driver: "monitor", intervalSeconds: 1, fullScanSeconds: 1 },
  ledger: { isClaimed: async () => true, claim: never, loose: { note: never, forget: never, all: never } },
  metrics: {
    received: never,
    ignored: never,
    fullScan(_, seconds, objects) {
      const { user, system } = process.cpuUsage(cpu);
      scans.push({ seconds, objects, cpu: (user + system) / 1e6 });
      if (scans.length === 3) done.resolve();
    },
  },
  log: pino({ level: "error" }, pino.destination(2)),
});
await done.promise;
await monitor.stop();
process.stdout.write(JSON.stringify({ scans, polls, grown: peak() - before }));
