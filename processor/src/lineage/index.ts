import { appendFile, mkdir, rename, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Logger } from "pino";
import type { Run, TableColumn } from "@cais/spec/api.ts";
import type { LineageBinding } from "@cais/spec/bindings.ts";
import type { Ledger } from "../ledger/index.ts";
import { printed } from "../log/index.ts";
import type { OpenStack } from "../runs/stack.ts";
import { readSecret } from "../secret/index.ts";
import { eventOf, type Moment } from "./event.ts";
import { openOutbox } from "./outbox.ts";

/** A file of events is moved to `<path>.1`, in the place of the one before, when it has so many bytes. */
const MOST_BYTES = 64e6;

/** Tells of runs as OpenLineage. What it cannot tell costs events, never a run. */
export interface Lineage {
  /** An attempt at a run begins. */
  began(run: Run): void;
  ended(run: Run): void;
  /** Keeps what is not told yet for the next start. */
  stop(): Promise<void>;
}

export interface LineageOptions {
  environment: string;
  ledger: Pick<Ledger, "source"> & { tables: Pick<Ledger["tables"], "head"> };
  stacks: ReadonlyMap<string, Pick<OpenStack, "input">>;
  dataFolder: string;
  log: Logger;
}

/** Starts telling of runs; without a binding nobody is told. Throws if the binding's secret cannot be read. */
export async function startLineage(binding: LineageBinding | undefined, options: LineageOptions): Promise<Lineage> {
  const { ledger, stacks, environment, log } = options;
  if (binding === undefined) return { began: () => undefined, ended: () => undefined, stop: async () => undefined };
  const { add, stop } = await openTarget(binding, options);
  let telling = Promise.resolve();

  /** One after the other, as START is told before COMPLETE. Never rejects. */
  async function tellAfter(before: Promise<void>, run: Run, moment: Moment): Promise<void> {
    const now = new Date();
    await before;
    try {
      const columns = moment === "ended" ? await columnsOf(run) : new Map<string, TableColumn[]>();
      const file = await placeOf(run);
      await add(eventOf(run, moment, { environment, file, columns, now }));
    } catch (error) {
      log.error({ why: printed(String(error)), run: run.id }, "a lineage event is lost");
    }
  }

  const tell = (run: Run, moment: Moment) => {
    telling = tellAfter(telling, run, moment);
  };

  async function placeOf({ id, stack, file }: Run): Promise<string> {
    const key = (await ledger.source(id))?.key ?? file.key;
    return stacks.get(stack)?.input.location(key) ?? key;
  }

  async function columnsOf({ stack, outputs }: Run): Promise<Map<string, TableColumn[]>> {
    const known = new Map<string, TableColumn[]>();
    for (const { name } of outputs) {
      const table = await ledger.tables.head(stack, name);
      if (table !== undefined) known.set(name, table.columns);
    }
    return known;
  }

  return {
    began: (run) => tell(run, "began"),
    ended: (run) => tell(run, "ended"),
    async stop() {
      await telling;
      await stop();
    },
  };
}

async function openTarget(binding: LineageBinding, { dataFolder, log }: LineageOptions) {
  if (binding.driver === "http") {
    const token = binding.token && (await readSecret(binding.token, dataFolder));
    return openOutbox({ folder: join(dataFolder, "lineage"), url: binding.url, token, log });
  }
  const file = resolve(dataFolder, binding.path);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  return {
    async add(event: object) {
      await appendFile(file, `${JSON.stringify(event)}\n`, { mode: 0o600 });
      if ((await stat(file)).size >= MOST_BYTES) await rename(file, `${file}.1`);
    },
    stop: async () => undefined,
  };
}
