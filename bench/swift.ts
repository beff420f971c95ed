import { randomBytes } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { logIn } from "../tests/peers/openstack/calls.ts";
import { newContainer } from "../tests/peers/openstack/containers.ts";
import { startLab } from "../tests/peers/openstack/lab.ts";
import { stopServices } from "../tests/peers/services.ts";
import { type Part, percentile, round, type Row, say } from "./report.ts";
import { runMeasured, type Usage } from "./processes.ts";

/** A large file to and from a real Swift on this machine, beside curl. */
export async function* benchSwift(
  work: string,
  { bytes, times }: { bytes: number; times: number },
): AsyncIterable<Part> {
  const folder = join(work, "openstack");
  say("starting Keystone and Swift …");
  try {
    const lab = await startLab(folder);
    const binding = await newContainer(lab, work);
    const file = join(work, "binding.json");
    await writeFile(file, JSON.stringify(binding));
    const sent = join(work, "sent");
    await writeRandom(sent, bytes);
    const { token } = await logIn(lab, lab.demo.user, lab.demo.password, lab.demo.project);
    const address = `${lab.storageUrl}/${binding.container}`;
    const curl = ["-sSf", "-H", `X-Auth-Token: ${token}`, "-o"];
    const client = (what: string, key: string, path: string) =>
      // As the image starts the processor.
      [
        process.execPath,
        "--max-semi-space-size=1",
        join(import.meta.dirname, "swift-client.ts"),
        what,
        file,
        key,
        path,
      ] as const;
    const got = join(work, "got");
    const rows: Row[] = [];
    const runs: [string, readonly [string, ...string[]]][] = [
      ["up: curl, one PUT", ["curl", ...curl, "/dev/null", "-w", "%{time_total}", "-T", sent, `${address}/curl`]],
      ["up: Cais, a file", client("put-file", "file", sent)],
      ["up: Cais, a stream", client("put-stream", "stream", sent)],
      ["down: curl, what curl put", ["curl", ...curl, got, "-w", "%{time_total}", `${address}/curl`]],
      ["down: Cais, what curl put", client("fetch", "curl", got)],
      ["down: curl, segments", ["curl", ...curl, got, "-w", "%{time_total}", `${address}/file`]],
      ["down: Cais, segments", client("fetch", "file", got)],
    ];
    const all = runs.map((): (Usage & { output: string })[] => []);
    // By turns, so that what else the machine does meets all of them alike.
    for (let n = 0; n < times; n++)
      for (const [index, [what, [program, ...args]]] of runs.entries()) {
        say(`${what}, ${n + 1} of ${times} …`);
        await rm(got, { force: true });
        all[index]?.push(await runMeasured(program, args));
      }
    for (const [index, [what]] of runs.entries()) {
      const measured = all[index] ?? [];
      const middle = (of: (usage: Usage & { output: string }) => number) => percentile(measured.map(of), 0.5);
      const seconds = middle(({ output }) => Number(output));
      rows.push({
        what,
        figures: {
          "MB/s": round(bytes / 1e6 / seconds),
          s: round(seconds),
          "CPU s": round(middle(({ cpu }) => cpu)),
          "peak MB": Math.round(Math.max(...measured.map(({ peak }) => peak)) / 1e6),
        },
      });
    }
    yield {
      part: "swift",
      title: `${round(bytes / 2 ** 20)} MiB to and from Swift`,
      rows,
      notes: [
        `The median of ${times}, by turns, and the largest memory. Swift's servers share the machine and its disk with the client, so they are the limit, and a ratio says more than MB/s.`,
        "Of Cais the time is that of the transfer; CPU and memory are of the whole process. A stream is hashed (SHA-256) on the way; segments go three at a time.",
      ],
    };
  } finally {
    await stopServices(folder);
  }
}

/** Random, so that nothing on the way can make it smaller. */
async function writeRandom(path: string, bytes: number): Promise<void> {
  const handle = await open(path, "w");
  try {
    for (let left = bytes; left > 0; left -= 16 << 20) await handle.writeFile(randomBytes(Math.min(left, 16 << 20)));
  } finally {
    await handle.close();
  }
}
