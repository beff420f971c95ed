import type { ChildProcess } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { Problem, Runs } from "@cais/spec/api.ts";
import { configOf, salesStack } from "@cais/processor/src/processor-for-tests.ts";
import { scratch } from "../../start.ts";
import { startAlone } from "../process.ts";

export const token = "0123456789abcdef0123456789abcdef";

/** A processor in a process of its own, as it is deployed, for a test to attack. */
export interface Attacked {
  url: string;
  folder: string;
  process: ChildProcess;
  /** All that it logged so far. */
  log(): string;
  /** Ids of all runs that the ledger knows. */
  runs(): Promise<string[]>;
  /** Names of the files in the stack's input store, with whatever is left half. */
  kept(): Promise<string[]>;
  /** Throws unless it is the process that was started, and answers. */
  checkAlive(): Promise<void>;
  /** Most memory that it ever used, in bytes; undefined where the system does not tell. */
  peakMemory(): Promise<number | undefined>;
  openFiles(): Promise<number | undefined>;
  stop(): Promise<void>;
}

interface Options {
  limits?: object;
  token?: true;
}

export async function startAttacked(name: string, options: Options = {}): Promise<Attacked> {
  const folder = await scratch(`hostile-http-${name}`);
  const config = configOf(salesStack());
  const secret = options.token && { token: { driver: "file", path: "token" } };
  await writeFile(join(folder, "token"), token, { mode: 0o600 });
  const api = { host: "127.0.0.1", port: 0, limits: options.limits ?? {}, ...secret };
  const { child, url, log, checkAlive, stop } = await startAlone(folder, { ...config, api }, folder);
  const headers = { authorization: `Bearer ${token}` };

  return {
    url,
    folder,
    process: child,
    log,
    async runs() {
      const ids: string[] = [];
      for (let next: string | null = ""; next !== null;) {
        const before: string = next === "" ? "" : `&before=${next}`;
        const page = Runs.parse(await (await fetch(`${url}/v1/runs?limit=500${before}`, { headers })).json());
        ids.push(...page.runs.map(({ id }) => id));
        ({ next } = page);
      }
      return ids;
    },
    async kept() {
      const names = await readdir(join(folder, "sales/input"), { recursive: true, withFileTypes: true });
      return names.filter((entry) => entry.isFile()).map((entry) => entry.name);
    },
    checkAlive,
    peakMemory: async () => {
      if (process.platform !== "linux") return undefined;
      const [, kB] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${child.pid}/status`, "utf8")) ?? [];
      return Number(kB) * 1024;
    },
    openFiles: async () => (process.platform === "linux" ? (await readdir(`/proc/${child.pid}/fd`)).length : undefined),
    stop,
  };
}

/** One HTTP answer, as it came. */
export interface Answer {
  status: number;
  head: string;
  body: string;
}

export function connectTo({ url }: Pick<Attacked, "url">): Socket {
  const { hostname, port } = new URL(url);
  // What is refused while it is sent ends in a reset; what was answered before is what counts.
  return connect({ port: Number(port), host: hostname, noDelay: true }).on("error", () => undefined);
}

/** Sends bytes, and gives what is answered until the other side closes. With `end`, this side closes after sending. */
export async function exchange(
  to: Pick<Attacked, "url">,
  bytes: string | Buffer,
  { end = false }: { end?: boolean } = {},
): Promise<Answer[]> {
  const socket = connectTo(to);
  socket.write(bytes);
  if (end) socket.end();
  return answersOn(socket);
}

/** All answers on a connection, when it is closed. */
export async function answersOn(socket: Socket): Promise<Answer[]> {
  let received = "";
  socket.setEncoding("latin1").on("data", (text: string) => (received += text));
  // A reset, too, ends in this event; `once` of node:events would throw then.
  await new Promise((resolve) => socket.once("close", resolve));
  return parse(received);
}

function parse(received: string): Answer[] {
  const answers: Answer[] = [];
  for (let rest = received; rest !== "";) {
    const at = rest.indexOf("\r\n\r\n");
    const head = rest.slice(0, at);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
    if (at < 0 || Number.isNaN(length)) throw new Error(`This is no answer of a known length:\n${rest}`);
    const body = rest.slice(at + 4, at + 4 + length);
    if (body.length !== length) throw new Error(`This answer is cut off:\n${rest}`);
    answers.push({ status: Number(head.split(" ")[1]), head, body: Buffer.from(body, "latin1").toString() });
    rest = rest.slice(at + 4 + length);
  }
  return answers;
}

/** The problem that an answer is; throws if it is none, or not one alone with a clear sentence. */
export function problemIn([answer, ...others]: Answer[]): Problem {
  if (answer === undefined || others.length > 0) throw new Error(`There are ${others.length + 1} answers, not one.`);
  if (!/^content-type: application\/problem\+json$/im.test(answer.head))
    throw new Error(`This is no problem:\n${answer.head}\n\n${answer.body}`);
  const problem = Problem.strict().parse(JSON.parse(answer.body));
  if (problem.status !== answer.status || !/^urn:cais:problem:[a-z-]+$/.test(problem.type) || problem.detail === "")
    throw new Error(`This problem is not whole: ${answer.body}`);
  return problem;
}

/** Waits until a condition holds; the test's own time limit ends it. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

let made = 0;
/** A small file that no other is like. */
export const csv = () => `day,amount,note\n2024-01-01,${++made},x\n`;

/** The head of an upload, without its end, for a test to add to. */
export const uploadHead = (query = "name=a.csv") =>
  `POST /v1/stacks/sales/files?${query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n`;
