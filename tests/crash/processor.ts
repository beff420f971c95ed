import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import type { z } from "zod";
import { type Orders, Told } from "./point.ts";

const root = join(import.meta.dirname, "..", "..");

/** A processor in a process of its own. */
export interface Child {
  /** Where it listens; undefined if it ended first. */
  url: string | undefined;
  pid: number;
  /** Resolves when the process has ended, with how: an exit code or a signal. */
  ended: Promise<number | NodeJS.Signals>;
  isAlive(): boolean;
  /** Gives a watched process new orders, and waits until it has read them. */
  order(orders: WatchOrders): Promise<void>;
  /** Where its point was, if it reached it. */
  reached(): { at: string; step: string } | undefined;
  /** What it wrote to standard error, and its log. */
  said(): string;
  /** Sends a signal, and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

export type WatchOrders = Omit<z.input<typeof Orders>, "data">;

export interface StartOptions {
  /** Holds `config.json` and the data folder `data`. */
  folder: string;
  /** Folder of the built page. */
  page?: string;
  /** Has it watched. */
  orders?: WatchOrders;
  /** Runs as this user; only for root. */
  uid?: number;
}

/** A start, a stop or a death takes a moment; what takes longer than this hangs. */
const DEADLINE_MS = 60_000;

const living = new Map<ChildProcess, string>();

/** Kills the processors that were started in a folder, or all; for when a test fails or is itself stopped. */
export function killAll(folder?: string): void {
  for (const [child, its] of living) if (folder === undefined || its === folder) child.kill("SIGKILL");
}

/** Starts the container's entry point as its image does, and waits until it listens or has ended. */
export async function startProcessor({ folder, page, orders, uid }: StartOptions): Promise<Child> {
  const data = join(folder, "data");
  const watched = orders !== undefined;
  const ordersFile = join(folder, "orders.json");
  const writeOrders = (given: WatchOrders) => writeFile(ordersFile, JSON.stringify({ ...given, data }));
  if (watched) await writeOrders(orders);
  const preload = pathToFileURL(join(import.meta.dirname, "preload.ts")).href;
  const child = spawn(
    process.execPath,
    [
      ...(watched ? ["--import", preload] : []),
      join(root, "processor", "src", "main.ts"),
      "--config",
      join(folder, "config.json"),
      "--data",
      data,
      ...(page === undefined ? [] : ["--page", page]),
    ],
    {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"],
        // Compiled once for all the starts of all seeds.
        NODE_COMPILE_CACHE: join(root, ".cais", "tests", "compiled"),
        ...(watched && { CAIS_CRASH: ordersFile }),
      },
      ...(uid !== undefined && { uid, gid: uid }),
    },
  );
  const said: string[] = [];
  living.set(child, folder);
  const ended = endOf(child).finally(() => living.delete(child));
  let reached: { at: string; step: string } | undefined;
  let read = Promise.withResolvers<void>();
  createInterface(child.stderr).on("line", (line) => {
    said.push(`${line}\n`);
    if (!line.startsWith("crash: ")) return;
    const told = Told.parse(JSON.parse(line.slice("crash: ".length)));
    if ("at" in told) reached = told;
    else read.resolve();
  });
  const lines = createInterface(child.stdout);
  const listening = new Promise<string>((resolve) => {
    lines.on("line", (line) => {
      said.push(`${line}\n`);
      const [, url] = /"url":"(http[^"]+)".*"msg":"listening"/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
  return {
    url: await inTime("start", Promise.race([listening, ended.then(() => undefined)])),
    pid: child.pid ?? 0,
    ended,
    async order(given) {
      await writeOrders(given);
      reached = undefined;
      read = Promise.withResolvers();
      child.kill("SIGUSR2");
      await inTime("read its orders", Promise.race([read.promise, ended]));
    },
    reached: () => reached,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    said: () => said.join(""),
    end(signal) {
      child.kill(signal);
      return inTime(`end after ${signal}`, ended);
    },
  };

  async function inTime<T>(what: string, work: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const late = () => reject(new Error(`The processor did not ${what} in ${DEADLINE_MS / 1000} s:\n${said.join("")}`));
    const timer = setTimeout(late, DEADLINE_MS);
    try {
      return await Promise.race([work, promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function endOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  const [code, signal]: (number | NodeJS.Signals | null)[] = await once(child, "close");
  const how = signal ?? code;
  if (how === null || how === undefined) throw new Error("A process ended neither by itself nor by a signal.");
  return how;
}
