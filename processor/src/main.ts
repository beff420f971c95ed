import { rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import type { ProcessorConfig } from "@cais/spec/bindings.ts";
import { openAccess } from "./access/index.ts";
import { makeApi } from "./api/index.ts";
import { checkAccess } from "./api/guard.ts";
import { isEntryPoint, readSettings } from "./config.ts";
import { type Monitor, startMonitor } from "./events/monitor.ts";
import type { Engines } from "./engine/warm.ts";
import { readTellers } from "./events/teller.ts";
import { openLedger } from "./ledger/index.ts";
import { type Lineage, startLineage } from "./lineage/index.ts";
import { openLog } from "./log/index.ts";
import { startMetrics } from "./metrics/index.ts";
import { openQueries } from "./query/index.ts";
import type { RetryOptions } from "./runs/faults.ts";
import { startRunner } from "./runs/index.ts";
import { type OpenStack, openStack } from "./runs/stack.ts";
import { sweepIfPossible } from "./runs/sweep.ts";
import { finishUploads } from "./runs/uploads.ts";
import { readSecret } from "./secret/index.ts";
import { startSender } from "./sinks/sender.ts";
import { openSync } from "./sync/index.ts";
import { openTableReader } from "./tables/index.ts";
import { startPublisher } from "./tables/publisher.ts";
import { startTracing } from "./tracing/index.ts";

export interface StartOptions {
  /** Everything the processor keeps is below this folder. One processor at a time may use it. */
  dataFolder: string;
  /** Folder of the built page. Default: no page. */
  pageFolder?: string;
  /** File in which the machine tells of its last sync. Default: it tells of none. */
  syncFile?: string;
  /** Asked of every request to /v1; takes the place of the config's. At least 32 characters. */
  token?: string;
  /** Default: none. */
  log?: Logger;
  /** Time for one attempt at a run. Default: an hour. */
  runSeconds?: number;
  /** Time for one query. Default: a minute. */
  querySeconds?: number;
  /** How often and when a run is tried again. Default: 5 attempts, up to a minute apart. */
  retry?: Partial<RetryOptions>;
  /** Free bytes on the data folder's disk below which it is not ready, though it goes on. Default: 1 GB. */
  minFreeBytes?: number;
  /** Where spans go by OTLP/HTTP. Default: nowhere. */
  otlpEndpoint?: string;
  /** SQL engines for runs, which whoever gives them stops. Default: its own. */
  engines?: Engines;
}

/** Connections that wait to be accepted; Linux takes 4,096 at most (net.core.somaxconn), and resets what waits too long. */
const BACKLOG = 4096;

const STOP_MS = 2000;

/** Starts a processor; its promise resolves when it listens and has taken up what an earlier one left. */
export async function startProcessor(
  config: ProcessorConfig,
  {
    dataFolder,
    pageFolder,
    syncFile,
    token: givenToken,
    log = pino({ level: "silent" }),
    runSeconds = 3600,
    querySeconds = 60,
    retry,
    minFreeBytes = 1e9,
    otlpEndpoint,
    engines,
  }: StartOptions,
): Promise<{ url: string; stop(): Promise<void> }> {
  const token = givenToken ?? (config.api.token && (await readSecret(config.api.token, dataFolder)));
  checkAccess(config.api.host, token);
  const tellers = await readTellers(config.stacks, dataFolder);

  const ledger = await openLedger({ driver: "sqlite", file: join(dataFolder, "ledger.sqlite") });
  const workFolder = join(dataFolder, "work");
  // The ledger is this processor's alone, so nothing else works here now.
  await rm(workFolder, { recursive: true, force: true });
  const stacks = new Map<string, OpenStack>();
  // Beside what engines may take of the disk, and less than it.
  const cacheBytes = config.engine.tempBytes / 4 / Math.max(1, Object.keys(config.stacks).length);
  const sync = syncFile === undefined ? undefined : openSync(syncFile, log);
  const depth = async () => ({ ...(await ledger.depth()), deliveries: await ledger.deliveries.depth() });
  const metrics = startMetrics(depth, undefined, sync);
  let lineage: Lineage;
  try {
    for (const [name, stack] of Object.entries(config.stacks)) {
      const inUse = (await ledger.runs({ stack: name, limit: 1 })).length > 0;
      const cache = { folder: join(workFolder, "cache", name), bytes: cacheBytes };
      stacks.set(name, await openStack(stack, dataFolder, { inUse, allowPrivate: config.allowPrivate, cache }));
    }
    await finishUploads({ ledger, stacks, metrics, log });
    lineage = await startLineage(config.lineage, { environment: config.environment, ledger, stacks, dataFolder, log });
  } catch (error) {
    await ledger.close();
    throw error;
  }
  const tracing = await startTracing(otlpEndpoint);
  const tables = openTableReader(join(workFolder, "reads"));
  const queries = openQueries({
    folder: join(workFolder, "queries"),
    limits: config.engine,
    log,
    seconds: querySeconds,
  });
  const sender = startSender({ stacks, ledger, metrics, tracing, log, folder: join(workFolder, "deliveries") });
  await sender.recover();
  const publisher = startPublisher({
    stacks,
    ledger,
    log,
    async tellFailed(run) {
      await sender.tell(run, "failed");
      lineage.ended(run);
    },
  });
  for (const stack of stacks.values()) await sweepIfPossible(ledger, publisher, stack, log);
  await publisher.start();
  const runner = startRunner({
    stacks,
    ledger,
    metrics,
    tracing,
    lineage,
    sender,
    publisher,
    log,
    folder: join(workFolder, "runs"),
    limits: config.engine,
    seconds: runSeconds,
    ...(retry !== undefined && { retry }),
    ...(engines !== undefined && { engines }),
  });
  await runner.recover();
  const monitors = new Map<string, Monitor>();
  let stopping: Promise<void> | undefined;
  const access = openAccess(join(dataFolder, "access.sqlite"), {
    audit: config.api.audit,
    onError: (error) => log.error({ err: error }, "tokens or audit log not written"),
  });
  const isStopping = () => stopping !== undefined;
  const freeBytes = async () => {
    const { bavail, bsize } = await statfs(dataFolder);
    return bavail * bsize;
  };
  const readiness = { isStopping, freeBytes, minFreeBytes };
  const processor = {
    config,
    stacks,
    ledger,
    runner,
    tables,
    queries,
    metrics,
    tracing,
    access,
    monitors,
    tellers,
    sync,
    ...readiness,
  };
  const api = await makeApi({ processor, log, token, pageFolder });

  async function stop(): Promise<void> {
    // What is being sent has a moment to end; an upload may take hours.
    const timer = setTimeout(() => api.server.closeAllConnections(), STOP_MS);
    await api.close();
    clearTimeout(timer);
    await Promise.all(monitors.values().map((monitor) => monitor.stop()));
    await runner.stop();
    await publisher.stop();
    await sender.stop();
    await lineage.stop();
    await queries.stop();
    await tables.stop();
    await tracing.stop();
    await access.close();
    await ledger.close();
    await rm(workFolder, { recursive: true, force: true });
  }
  const stopOnce = () => (stopping ??= stop());

  const { host, port } = config.api;
  const url = await api.listen({ host, port, backlog: BACKLOG }).catch(async (error: unknown) => {
    await stopOnce();
    throw new Error(`The processor cannot listen on ${host}, port ${port}; is the port taken? Choose another one.`, {
      cause: error,
    });
  });
  for (const [name, stack] of stacks) {
    const { events } = stack.config;
    if (events.driver !== "in-process") monitors.set(name, startMonitor({ stack, events, ledger, metrics, log }));
  }
  runner.wake();
  sender.wake();
  return { url, stop: stopOnce };
}

async function main(): Promise<void> {
  const { config, dataFolder, pageFolder, syncFile, logLevel, otlpEndpoint } = await readSettings(
    process.argv.slice(2),
  );
  const log = openLog(logLevel);
  const processor = await startProcessor(config, {
    dataFolder,
    log,
    ...(pageFolder !== undefined && { pageFolder }),
    ...(syncFile !== undefined && { syncFile }),
    ...(otlpEndpoint !== undefined && { otlpEndpoint }),
  });
  log.info({ url: processor.url, stacks: Object.keys(config.stacks) }, "listening");
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => {
      log.info({ signal }, "stopping");
      processor.stop().then(() => log.info("stopped"), fail);
    });
}

/** A mistake of who starts it needs no stack trace, so only the messages are told, the last one being the cause. */
function fail(error: unknown): void {
  for (let cause = error; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined)
    process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exitCode = 1;
}

if (isEntryPoint(import.meta.url)) main().catch(fail);
