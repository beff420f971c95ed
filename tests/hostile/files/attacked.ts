import type { ChildProcess } from "node:child_process";
import { openAsBlob } from "node:fs";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Problem, Run, Upload } from "@cais/spec/api.ts";
import { formats } from "@cais/spec/upload.ts";
import { configOf, salesStack } from "@cais/processor/src/processor-for-tests.ts";
import { scratch } from "../../start.ts";
import { startAlone } from "../process.ts";

/** Most memory that the processor and its engines may ever have used, in bytes, whatever they were sent. */
export const MEMORY = { processor: 350e6, engine: 500e6 };

/** Content of a file: as it is, or what writes it to a path. */
export type Content = string | Buffer | ((path: string) => Promise<void>);

/** A processor in a process of its own, as it is deployed, which takes every format. */
export interface Attacked {
  url: string;
  folder: string;
  /** Sends a file and waits until its run has ended. A refusal is a Problem. */
  send(content: Content, name: string, stack?: string): Promise<Run | Problem>;
  /** Throws unless it is the process that was started, answers, has nothing left of its work, and stayed within MEMORY. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

const columns = [
  { name: "day", type: "date" as const, required: true },
  { name: "amount", type: "double" as const, min: 0 },
  { name: "note", type: "string" as const },
];

/** Starts it with two stacks: `sales`, and `kept`, which keeps the columns that its contract does not name. */
export async function startAttacked(name: string): Promise<Attacked> {
  const folder = await scratch(`hostile-files-${name}`);
  const upload = { formats: [...formats], maxBytes: 3e9, maxExpandedBytes: 100e6 };
  const { stack, sql } = salesStack({ source: { upload }, contract: { columns } });
  const kept = { ...stack, name: "kept", contract: { columns, unknownColumns: "keep" as const } };
  const config = configOf({ stack, sql }, { stack: kept, sql });
  const { child, url, checkAlive, stop } = await startAlone(folder, config, join(folder, "data"));
  const peaks = new Map<number, number>();
  let sent = 0;

  async function ended(id: string): Promise<Run> {
    for (;;) {
      await notePeaks(child, peaks);
      const run = Run.parse(await (await fetch(`${url}/v1/runs/${id}`)).json());
      if (run.state === "queued" || run.state === "running") {
        await new Promise((resolve) => setTimeout(resolve, 30));
        continue;
      }
      const { read, clean, rejected } = run.rows;
      if (read !== clean + rejected) throw new Error(`Of ${read} rows ${clean} are clean and ${rejected} rejected.`);
      const { size } = await stat(join(folder, "data", run.stack, "input", run.file.key));
      if (size !== run.file.bytes)
        throw new Error(`The file that was received has ${size} of ${run.file.bytes} bytes.`);
      return run;
    }
  }

  return {
    url,
    folder,
    async send(content, name, stack = "sales") {
      const path = join(folder, `sent-${++sent}`);
      if (typeof content === "function") await content(path);
      else await writeFile(path, content);
      const answer = await fetch(`${url}/v1/stacks/${stack}/files?again=true&name=${encodeURIComponent(name)}`, {
        method: "POST",
        body: await openAsBlob(path, { type: "application/octet-stream" }),
      });
      const body: unknown = await answer.json();
      await rm(path);
      return answer.ok ? ended(Upload.parse(body).id) : Problem.parse(body);
    },
    async check() {
      await checkAlive();
      // What a run worked with goes when it has ended.
      while ((await readdir(join(folder, "data/work/runs")).catch(() => [])).length > 0)
        await new Promise((resolve) => setTimeout(resolve, 30));
      await notePeaks(child, peaks);
      for (const [pid, bytes] of peaks) {
        const most = pid === child.pid ? MEMORY.processor : MEMORY.engine;
        if (bytes > most)
          throw new Error(`${pid === child.pid ? "The processor" : "An engine"} took ${bytes} bytes of memory.`);
      }
    },
    stop,
  };
}

/** Notes the most memory that the process and its engines have used so far, as far as the system tells. */
async function notePeaks({ pid = 0 }: ChildProcess, peaks: Map<number, number>): Promise<void> {
  if (process.platform !== "linux") return;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  for (const id of [pid, ...children.trim().split(" ").filter(Boolean).map(Number)]) {
    // An engine may end at any time.
    const status = await readFile(`/proc/${id}/status`, "utf8").catch(() => "");
    const [, kB = "0"] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
    peaks.set(id, Math.max(peaks.get(id) ?? 0, Number(kB) * 1024));
  }
}

/** How a file ended, in a line: `quarantined: <why>`, `done: 3 read, 2 clean`, or `415 not-this-format: <why>`. */
export function outcome(ended: Run | Problem): string {
  if ("title" in ended) return `${ended.status} ${ended.type.replace("urn:cais:problem:", "")}: ${ended.detail}`;
  const { state, rows, error } = ended;
  return state === "done" ? `done: ${rows.read} read, ${rows.clean} clean` : `${state}: ${error}`;
}

/** All files below a folder, by their path in it, with their sizes. */
export async function filesBelow(folder: string): Promise<Map<string, number>> {
  const files = new Map<string, number>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(path.slice(folder.length + 1), (await stat(path)).size);
  }
  return files;
}
