import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { readdir, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { logIn } from "../tests/peers/openstack/calls.ts";
import { newContainer } from "../tests/peers/openstack/containers.ts";
import { type OpenStack, startLab } from "../tests/peers/openstack/lab.ts";
import { startSwift } from "../tests/peers/openstack/swift.ts";
import { freePorts, stopServices } from "../tests/peers/services.ts";
import { claimsAfterPuts } from "./events-claims.ts";
import { CLIENTS, fillContainer } from "./events-fill.ts";
import { type Part, percentile, round, type Row, say } from "./report.ts";

const Scanned = z.object({
  scans: z.array(z.object({ seconds: z.number(), objects: z.number(), cpu: z.number() })),
  polls: z.array(z.number()),
  grown: z.number(),
});

const run = promisify(execFile);

/** (g) What finding new objects costs: listing them, and being told by the proxy's filter. */
export async function* benchEvents(
  work: string,
  { objects, puts }: { objects: number; puts: number },
): AsyncIterable<Part> {
  const folder = resolve(".cais/bench/openstack");
  say("Starting Keystone and Swift …");
  const lab = await startLab(folder);
  try {
    say("PUTs with and without the filter …");
    yield await putsBesideFilter(lab, work, puts);
    yield await claimsAfterPuts(lab, work, puts / 10);
    await startSwift(lab);
    yield await scans(lab, work, objects);
  } finally {
    await stopServices(folder);
  }
}

/** A monitor's scans over many objects, simulated and a tenth as many real ones. */
async function scans(lab: OpenStack, work: string, objects: number): Promise<Part> {
  say(`A monitor over ${objects} simulated objects …`);
  const simulated = await scanned(`${objects} objects, simulated`, [String(objects)]);
  const binding = await newContainer(lab, work);
  const inContainer = objects / 10;
  say(`Putting ${inContainer} objects into a container, one by one …`);
  const filling = await fillContainer(lab, binding.container, inContainer);
  say("A monitor over them …");
  const real = await scanned(`${inContainer} objects, in Swift`, [JSON.stringify(binding), work]);
  return {
    part: "events",
    title: "Finding new objects among many",
    rows: [simulated, real],
    notes: [
      "A thousand keys a day, all claimed already. `first` asks the ledger of each, `later` knows them. `day` is a listing of the folder of one day (the median), of which each interval has two or three, beside a full scan here.",
      "Simulated: no server. A stand-in for the ledger in both.",
      `To put the ${inContainer} objects took ${Math.round(filling)} s, ${CLIENTS} at a time.`,
    ],
  };
}

async function scanned(what: string, args: string[]): Promise<Row> {
  const script = join(import.meta.dirname, "events-scan.ts");
  const { stdout } = await run(process.execPath, [script, ...args], { maxBuffer: 10e6 });
  const { scans, polls, grown } = Scanned.parse(JSON.parse(stdout));
  const [first, ...later] = scans;
  const last = later.at(-1);
  return {
    what,
    figures: {
      "first s": round(first?.seconds ?? Number.NaN),
      "later s": round(last?.seconds ?? Number.NaN),
      "later CPU s": round(last?.cpu ?? Number.NaN),
      "day ms": round(percentile(polls, 0.5)),
      "memory MB": Math.round(grown / 1e6),
    },
  };
}

const secret = `whsec_${Buffer.from("a key of 32 bytes for the bench!").toString("base64")}`;

/** PUTs of 10 kB one after the other: without the filter, and with it to containers that take part or not, in turn. */
async function putsBesideFilter(lab: OpenStack, work: string, puts: number): Promise<Part> {
  const told = { count: 0 };
  const server = createServer((incoming, response) => {
    incoming.resume().once("end", () => {
      told.count++;
      response.writeHead(204).end();
    });
  });
  const { receiver: port } = await freePorts(["receiver"] as const);
  await new Promise<void>((done) => void server.listen(port, "127.0.0.1", done));
  const account = new URL(lab.storageUrl).pathname.split("/").at(-1) ?? "";
  const receivers = join(work, "receivers");
  await writeFile(receivers, `[${account}]\nurl = http://127.0.0.1:${port}/\nsecret = ${secret}\n`, { mode: 0o600 });
  const { container: quiet } = await newContainer(lab, work);
  const { container: loud } = await newContainer(lab, work, { "X-Container-Meta-Webhook": "on" });
  const rows: Row[] = [];
  const row = (what: string, took: number[]) =>
    rows.push({
      what,
      figures: {
        PUTs: took.length,
        ...Object.fromEntries([0.5, 0.9, 0.99].map((share) => [`p${share * 100} ms`, round(percentile(took, share))])),
      },
    });
  const spool = join(work, "spool");
  const webhook = { "paste.filter_factory": "swift_webhook:filter_factory", receivers, spool_dir: spool };
  const settings = { filters: { webhook }, pythonPath: resolve("operators/swift-webhook") };
  await timedPuts(lab, [quiet], 50);
  row("without the filter", (await timedPuts(lab, [quiet], puts))[0] ?? []);
  await startSwift(lab, settings);
  await timedPuts(lab, [quiet, loud], 50);
  const [none, events] = await timedPuts(lab, [quiet, loud], puts);
  row("with it, a container that takes no part", none ?? []);
  row("with it, one that does", events ?? []);
  await rm(receivers);
  await new Promise((done) => {
    server.close(done);
    server.closeAllConnections();
  });
  const [away] = await timedPuts(lab, [loud], puts);
  row("the same while the receiver is away", away ?? []);
  const left = (await readdir(join(spool, account))).length;
  return {
    part: "events",
    title: "PUT of 10 kB to a real Swift, one after the other",
    rows,
    notes: [
      "With the filter, PUTs to the one and the other container go in turn, so both have the same machine.",
      `The receiver, in the benchmark's own process, took ${told.count} events of ${puts + 50}; ${left} were left in the spool at the end.`,
    ],
  };
}

/** How long each PUT took, in ms, by container. */
async function timedPuts(lab: OpenStack, containers: string[], count: number): Promise<number[][]> {
  const { token } = await logIn(lab, lab.demo.user, lab.demo.password, lab.demo.project);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const body = Buffer.alloc(10_000, "x");
  const took: number[][] = containers.map(() => []);
  for (let n = 0; n < count; n++)
    for (const [index, container] of containers.entries()) {
      const started = performance.now();
      const status = await new Promise<number>((done, failed) => {
        const url = `${lab.storageUrl}/${container}/${Date.now()}-${n}`;
        const headers = { "X-Auth-Token": token, "Content-Length": body.length };
        request(url, { method: "PUT", agent, headers }, (answer) =>
          answer.resume().once("end", () => done(answer.statusCode ?? 0)),
        )
          .once("error", failed)
          .end(body);
      });
      if (status !== 201) throw new Error(`Swift answered a PUT with ${status}.`);
      took[index]?.push(performance.now() - started);
    }
  agent.destroy();
  return took;
}
