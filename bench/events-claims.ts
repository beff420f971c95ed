import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { configOf, salesStack } from "@cais/processor/src/processor-for-tests.ts";
import { Runs } from "@cais/spec/api.ts";
import type { EventsBinding } from "@cais/spec/bindings.ts";
import { startProcessor } from "../tests/crash/processor.ts";
import { newContainer, swiftCall } from "../tests/peers/openstack/containers.ts";
import type { OpenStack } from "../tests/peers/openstack/lab.ts";
import { startSwift } from "../tests/peers/openstack/swift.ts";
import { type Part, percentile, round, type Row, say } from "./report.ts";

const secret = `whsec_${Buffer.from("a key of 32 bytes for the bench!").toString("base64")}`;
const file = { driver: "file", path: "events-secret" } as const;
const ways = {
  monitor: { driver: "monitor", intervalSeconds: 5 },
  webhook: { driver: "webhook", secret: file, fullScanSeconds: 3600 },
} satisfies Record<string, EventsBinding>;

/** How long a file may take to be claimed: a scan after the longest pause. */
const PATIENCE_MS = 120_000;

/** From the end of a PUT to a real Swift until the processor has claimed the object, one after the other. */
export async function claimsAfterPuts(lab: OpenStack, work: string, puts: number): Promise<Part> {
  const rows: Row[] = [];
  for (const [name, events] of Object.entries(ways)) {
    say(`From PUT to claim by the ${name} …`);
    const took = await timed(lab, await mkdtemp(join(work, `${name}-`)), events, name === "webhook" ? puts : puts / 5);
    rows.push({
      what: name,
      figures: {
        PUTs: took.length,
        ...Object.fromEntries([0.5, 0.9, 0.99].map((share) => [`p${share * 100} ms`, round(percentile(took, share))])),
      },
    });
  }
  return {
    part: "events",
    title: "From the answer to a PUT of a real Swift to the claim",
    rows,
    notes: [
      "Keys begin with the day; the monitor looks every 5 s. A claim is in the ledger, after the object was read and hashed.",
      "Both ends are read on the clock of this machine.",
    ],
  };
}

async function timed(lab: OpenStack, folder: string, events: EventsBinding, count: number): Promise<number[]> {
  const data = join(folder, "data");
  await mkdir(data);
  const input = await newContainer(lab, data, { "X-Container-Meta-Webhook": "on" });
  const config = configOf(salesStack());
  const { sales } = config.stacks;
  if (sales === undefined) throw new Error("The stack of the tests is not called sales any more.");
  sales.stores.input = input;
  sales.events = events;
  await writeFile(join(data, file.path), secret, { mode: 0o600 });
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  const processor = await startProcessor({ folder });
  try {
    if (processor.url === undefined) throw new Error(`The processor does not run:\n${processor.said()}`);
    await tell(lab, folder, processor.url);
    const took: number[] = [];
    for (let n = 0; n < count; n++) {
      const key = `${new Date().toISOString().slice(0, 10)}/${n}.csv`;
      await swiftCall(lab, "PUT", `${input.container}/${key}`, { body: `day,amount,note\n2024-01-01,${n},x\n` });
      const answered = Date.now();
      took.push(Math.max(0, (await claimed(processor.url, key)) - answered));
    }
    return took;
  } finally {
    await processor.end("SIGTERM");
    await rm(folder, { recursive: true });
  }
}

/** Has Swift's proxy tell the processor of new objects. */
async function tell(lab: OpenStack, folder: string, url: string): Promise<void> {
  const account = new URL(lab.storageUrl).pathname.split("/").at(-1) ?? "";
  const receivers = join(folder, "receivers");
  const receiver = `[${account}]\nurl = ${url}/v1/events/webhook\nsecret = ${secret}\n`;
  await writeFile(receivers, receiver, { mode: 0o600 });
  const spool = join(folder, "spool");
  const webhook = { "paste.filter_factory": "swift_webhook:filter_factory", receivers, spool_dir: spool };
  await startSwift(lab, { filters: { webhook }, pythonPath: resolve("operators/swift-webhook") });
}

/** When the object was claimed: milliseconds since 1970. */
async function claimed(url: string, key: string): Promise<number> {
  for (const until = Date.now() + PATIENCE_MS; Date.now() < until;) {
    const { runs } = Runs.parse(await (await fetch(`${url}/v1/runs?limit=5`)).json());
    const found = runs.find((run) => run.file.key === key);
    if (found !== undefined) return Date.parse(found.queuedAt);
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`The object ${key} was not claimed within ${PATIENCE_MS / 1000} s.`);
}
