import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Plan, plan } from "../planner/index.ts";
import { measureWork, runMeasured } from "./processes.ts";
import { writeByHand, writeProject } from "./projects.ts";
import { type Part, percentile, round, say } from "./report.ts";

const ROUNDS = 5;
const stack = "prod-openstack";
const house = resolve(import.meta.dirname, "..");
const policyPack = join(house, "policies");

interface Spent {
  cpu: number;
  /** CPU of the program and the policy pack alone. */
  children: number;
  wall: number;
}

/**
 * What plans cost: five pipeline stacks, the same resources by hand, and up to `stacks` pipeline stacks in one program; and
 * what it costs to load the SDKs.
 */
export async function* benchPlan(work: string, { stacks }: { stacks: number }): AsyncIterable<Part> {
  const five = join(work, "five");
  const hand = join(work, "hand");
  await writeProject(five, 5);
  const leanHand = join(work, "lean-hand");
  const made = await plan({ root: five, stack });
  await writeByHand(hand, made, { lean: false });
  await writeByHand(leanHand, made, { lean: true });
  yield await small(five, hand, leanHand);
  yield await loading();
  yield await many(work, [stacks / 10, stacks / 3, stacks].map(Math.round));
}

/** Medians of some rounds, in each of which all are done once, so that a change of the machine's load meets all of them. */
async function medians(works: Record<string, () => Promise<unknown>>): Promise<Map<string, Spent>> {
  const spent = new Map<string, Spent[]>();
  for (let n = 0; n <= ROUNDS; n++)
    for (const [name, work] of Object.entries(works)) {
      const one = await measureWork(work);
      // The first round compiles what the others load.
      if (n > 0) spent.set(name, [...(spent.get(name) ?? []), one]);
    }
  const median = (all: Spent[], key: keyof Spent) =>
    percentile(
      all.map((one) => one[key]),
      0.5,
    );
  return new Map(
    [...spent].map(([name, all]) => [
      name,
      { cpu: median(all, "cpu"), children: median(all, "children"), wall: median(all, "wall") },
    ]),
  );
}

const asMade = (made: Plan) => made.resources.filter(({ custom }) => custom).length;

async function small(five: string, hand: string, leanHand: string): Promise<Part> {
  say("Five pipeline stacks, and the same by hand …");
  const counts = [asMade(await plan({ root: five, stack })), asMade(await plan({ root: hand, stack }))];
  const empty = join(house, "planner", "fixtures", "empty");
  const spent = await medians({
    "an empty program": () => plan({ root: empty, stack: "test" }),
    "five stacks": () => plan({ root: five, stack }),
    "the same resources by hand": () => plan({ root: hand, stack }),
    "the same by hand, started as ours": () => plan({ root: leanHand, stack }),
    "five stacks and the policies": () => plan({ root: five, stack, policyPack }),
  });
  const program = (name: string) => spent.get(name)?.children ?? Number.NaN;
  const timesOf = (other: string) => round(program("five stacks") / program(other));
  return {
    part: "plan",
    title: "Plan of an environment of five pipeline stacks",
    rows: [...spent].map(([what, { cpu, children, wall }]) => ({
      what,
      figures: { "CPU s": round(cpu), "of it the program": round(children), "wall s": round(wall) },
    })),
    notes: [
      `Medians of ${ROUNDS} rounds. With components ${counts[0]} resources that a provider makes, by hand ${counts[1]}.`,
      `The program's CPU is ${timesOf("the same resources by hand")} times that of the one by hand in a project of Pulumi's, and ${timesOf("the same by hand, started as ours")} times that of one that starts as ours does.`,
    ],
  };
}

async function many(work: string, sizes: number[]): Promise<Part> {
  const rows = [];
  for (const size of sizes) {
    say(`${size} pipeline stacks …`);
    const root = join(work, `many-${size}`);
    await writeProject(root, size);
    const { result, cpu, wall } = await measureWork(() => plan({ root, stack }));
    const resources = result.resources.length;
    rows.push({
      what: `${size} pipeline stacks`,
      figures: {
        resources,
        "CPU s": round(cpu),
        "wall s": round(wall),
        "CPU ms/resource": round((1000 * cpu) / resources),
        "peak MB": Math.round(process.resourceUsage().maxRSS / 1000),
      },
    });
    await rm(root, { recursive: true });
  }
  return {
    part: "plan-many",
    title: "Many pipeline stacks in one program",
    rows,
    notes: ["Memory is the planner's own, at most until then."],
  };
}

/** What programs load: the SDK itself, the modules that components name, and some of other clouds. */
const loads: Record<string, string[]> = {
  "Pulumi's SDK": ["@pulumi/pulumi"],
  "and all components": [
    "@pulumi/pulumi",
    join(house, "components/cluster/index.ts"),
    join(house, "programs/platform.ts"),
    join(house, "programs/pipeline.ts"),
  ],
  "and what they use of openstack": [
    "@pulumi/pulumi",
    ...[
      "objectstorage/container",
      "objectstorage/containerObject",
      "compute/instance",
      "networking/network",
      "networking/port",
      "networking/secGroupRule",
      "identity/applicationCredential",
      "keymanager/secretV1",
      "blockstorage/volume",
    ].map((path) => `@pulumi/openstack/${path}.js`),
  ],
  "and three modules of aws": [
    "@pulumi/pulumi",
    "@pulumi/aws/s3/bucket.js",
    "@pulumi/aws/eks/cluster.js",
    "@pulumi/aws/rds/instance.js",
  ],
  "and three modules of azure-native": [
    "@pulumi/pulumi",
    "@pulumi/azure-native/storage/storageAccount.js",
    "@pulumi/azure-native/containerservice/managedCluster.js",
    "@pulumi/azure-native/sql/database.js",
  ],
  "and all of openstack, by its root": ["@pulumi/pulumi", "@pulumi/openstack"],
};

async function loading(): Promise<Part> {
  say("Loading SDKs …");
  const spent = await medians(
    Object.fromEntries(
      Object.entries(loads).map(([what, modules]) => [
        what,
        () =>
          runMeasured(process.execPath, [
            "--input-type=module",
            "--eval",
            modules.map((name) => `await import(${JSON.stringify(name)});`).join("\n"),
          ]),
      ]),
    ),
  );
  return {
    part: "plan-loading",
    title: "Loading the SDKs",
    rows: [...spent].map(([what, { children, wall }]) => ({
      what,
      figures: { "CPU s": round(children), "wall s": round(wall) },
    })),
    notes: ["Each in a process of its own, compiled code kept (NODE_COMPILE_CACHE)."],
  };
}
