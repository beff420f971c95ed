import { spawn } from "node:child_process";
import { mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** A machine with other work takes this long, in ms, to start what takes seconds alone. */
const PATIENCE = 180_000;

/**
 * Programs that a peer starts, each in a process group of its own. In the peer's folder `pid/` has their ids and `log/` what
 * they said, so that another process (a test, or the next run) can stop and start them too.
 */
export async function startService(
  folder: string,
  name: string,
  [program, ...arguments_]: readonly [string, ...string[]],
  env: Record<string, string> = {},
): Promise<void> {
  await mkdir(join(folder, "pid"), { recursive: true });
  await mkdir(join(folder, "log"), { recursive: true });
  const log = await open(join(folder, "log", `${name}.log`), "a");
  try {
    const child = spawn(program, arguments_, {
      cwd: folder,
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      // Where Debian's programs are: a Python of the user's own knows none of its packages.
      env: { HOME: folder, LANG: "C.UTF-8", PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
    });
    await new Promise((started, failed) => child.once("spawn", started).once("error", failed));
    child.unref();
    const pid = child.pid ?? 0;
    const recorded: Recorded = { pid, startedAt: (await statOf(pid))?.startedAt ?? "" };
    await writeFile(join(folder, "pid", name), JSON.stringify(recorded));
  } finally {
    await log.close();
  }
}

/** Stops a service with all its processes; one that is not running is none. */
export async function stopService(
  folder: string,
  name: string,
  signal: "SIGTERM" | "SIGKILL" = "SIGTERM",
): Promise<void> {
  const pid = await runningAs(folder, name);
  if (pid !== undefined) {
    signalGroup(pid, signal);
    const deadline = Date.now() + 20_000;
    while (Date.now() < deadline && (await runningAs(folder, name)) !== undefined) await wait(50);
    signalGroup(pid, "SIGKILL");
    while ((await runningAs(folder, name)) !== undefined) await wait(50);
  }
  await rm(join(folder, "pid", name), { force: true });
}

/** Stops every service of a folder, the last started first. */
export async function stopServices(folder: string): Promise<void> {
  const names = await readdir(join(folder, "pid")).catch(noneIfMissing);
  await Promise.all(names.map(async (name) => stopService(folder, name)));
}

/** Waits until a service answers `url` with a status that `isReady`. Throws with the end of its log when it does not or has ended. */
export async function answers(
  folder: string,
  name: string,
  url: string,
  isReady = (status: number) => status < 500,
): Promise<void> {
  await until(folder, name, url, async () => {
    const { status } = await fetch(url, { signal: AbortSignal.timeout(10_000), headers: { Connection: "close" } });
    return isReady(status);
  });
}

/** Waits until something that a service is to do `isDone`; an error counts as not yet. `what` names it in the error. */
export async function until(folder: string, name: string, what: string, isDone: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  let last: unknown = "not yet";
  while (Date.now() < deadline) {
    try {
      if (await isDone()) return;
    } catch (error) {
      last = error;
    }
    if ((await runningAs(folder, name)) === undefined)
      throw new Error(`${name} has ended: ${await endOf(folder, name)}`);
    await wait(100);
  }
  throw new Error(`${name} is not ready (${what}): ${await endOf(folder, name)}`, { cause: last });
}

/**
 * Free ports of loopback, by name. None is of those from which the system takes ports for connections, so none is taken while
 * its service is stopped for a moment.
 */
export async function freePorts<Name extends string>(names: readonly Name[]): Promise<Record<Name, number>> {
  const range = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8").catch(() => "32768 60999");
  const below = Math.min(32_768, Number(range.trim().split(/\s+/)[0]));
  const first = Math.min(10_000, below - 2000);
  const found = new Set<number>();
  while (found.size < names.length) {
    const port = first + Math.floor(Math.random() * (below - first));
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  const ports = [...found];
  return Object.fromEntries(names.map((name, n) => [name, ports[n]])) as Record<Name, number>;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((done) => {
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });
}

/** What tells a process from a later one with its id: programs change their name and even their environment. */
interface Recorded {
  pid: number;
  /** In ticks since the machine's start. */
  startedAt: string;
}

/** The process id of a service that we started and that has not ended. */
async function runningAs(folder: string, name: string): Promise<number | undefined> {
  const text = await readFile(join(folder, "pid", name), "utf8").catch(() => "{}");
  const { pid, startedAt } = JSON.parse(text) as Partial<Recorded>;
  if (pid === undefined || startedAt === undefined) return undefined;
  const now = await statOf(pid);
  // A zombie runs no more, but waits for its parent.
  return now?.startedAt === startedAt && now.state !== "Z" ? pid : undefined;
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
async function statOf(pid: number): Promise<{ state: string; startedAt: string } | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field is the name, which may hold spaces and parentheses.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", startedAt: fields[19] ?? "" };
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** Whatever of a group has not ended gets the signal. */
function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function endOf(folder: string, name: string): Promise<string> {
  const log = join(folder, "log", `${name}.log`);
  const text = await readFile(log, "utf8").catch(() => "");
  return `${text.trim().split("\n").slice(-5).join(" | ").slice(-1000)} (${log})`;
}

function noneIfMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === "ENOENT") return [];
  throw error;
}
