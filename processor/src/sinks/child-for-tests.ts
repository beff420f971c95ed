import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { isEntryPoint } from "../config.ts";
import { type DeliveryLedger, openLedger } from "../ledger/index.ts";
import { startMetrics } from "../metrics/index.ts";
import { type OpenStack, openStack } from "../runs/stack.ts";
import { startTracing } from "../tracing/index.ts";
import { startSender } from "./sender.ts";

/** Where a process that delivers is killed: before or after the ledger is told so. */
export type KillPoint = "after start" | "before progress" | "after progress" | "before delivered";

/** Delivers what a folder's ledger has queued, in a process that kills itself at a point; gives the signal that ended it. */
export async function killedAt(folder: string, point: KillPoint): Promise<string | null> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), folder, point], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [, signal]: [number | null, string | null] = await once(child, "exit").then(([code, by]) => [code, by]);
  return signal;
}

const kill = () => process.kill(process.pid, "SIGKILL");

function killing(ledger: DeliveryLedger, point: string): DeliveryLedger {
  return {
    ...ledger,
    async start(id) {
      const started = await ledger.start(id);
      if (point === "after start") kill();
      return started;
    },
    async progress(id, progress) {
      if (point === "before progress") kill();
      await ledger.progress(id, progress);
      if (point === "after progress") kill();
    },
    async delivered(id) {
      if (point === "before delivered") kill();
      return ledger.delivered(id);
    },
  };
}

if (isEntryPoint(import.meta.url)) {
  const [, , folder = "", point = ""] = process.argv;
  const config = ProcessorConfig.parse(JSON.parse(await readFile(join(folder, "config.json"), "utf8")));
  const ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  const stacks = new Map<string, OpenStack>();
  for (const [name, stack] of Object.entries(config.stacks))
    stacks.set(name, await openStack(stack, folder, { allowPrivate: config.allowPrivate }));
  const sender = startSender({
    stacks,
    ledger: { ...ledger, deliveries: killing(ledger.deliveries, point) },
    metrics: startMetrics(() => ledger.depth()),
    tracing: await startTracing(undefined),
    log: pino({ level: "warn" }, pino.destination(2)),
    folder: join(folder, "work"),
  });
  await sender.recover();
  sender.wake();
}
