import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { targets, type Target } from "@cais/spec/names.ts";
import { Command } from "commander";
import { z } from "zod";
import type { BuiltTarget, Omitted, TargetTable } from "../components/target.ts";
import { Failure } from "./failure.ts";
import { projectRoot } from "./root.ts";

const path = join(projectRoot, "docs", "matrix.md");

/** What tests/peers/openstack-cloud/deploy.test.ts made, when, and with what; it fails when it makes something else. */
const record = join(projectRoot, "tests", "peers", "openstack-cloud", "deployed.json");
const DeployedRecord = z.object({
  date: z.string(),
  versions: z.record(z.string(), z.string()),
  components: z.array(z.string()),
});

type Tables = Record<string, TargetTable<{ unsupported: Record<string, string> } | Omitted>>;

/** `cais matrix`: what each component is on each target, from the components' own tables. */
export const matrixCommand = (): Command =>
  new Command("matrix")
    .description("write docs/matrix.md: which component exists on which target")
    .option("--check", "write nothing; exit 1 when the file is not current")
    .action(async ({ check }: { check?: true }) => {
      const matrix = await matrixOf(await tables());
      if (!check) return writeFileSync(path, matrix);
      if (readFileSync(path, "utf8") !== matrix)
        throw new Failure(`${relative(process.cwd(), path)} is not current; run npx cais matrix and commit it`);
    });

/** Components load providers' SDKs, which the other commands need not wait for. */
async function tables(): Promise<Tables> {
  const [
    { objectStoreTargets },
    { eventsTargets },
    { secretTargets },
    { networkTargets },
    { clusterTargets },
    { processorTargets },
    { kubernetesTargets },
    { loadBalancerTargets },
    { databaseTargets },
    { budgetTargets },
  ] = await Promise.all([
    import("../components/object-store/index.ts"),
    import("../components/events/index.ts"),
    import("../components/secret/index.ts"),
    import("../components/network/index.ts"),
    import("../components/cluster/index.ts"),
    import("../components/processor/index.ts"),
    import("../components/cluster/kubernetes.ts"),
    import("../components/load-balancer/index.ts"),
    import("../components/database/index.ts"),
    import("../components/budget/index.ts"),
  ]);
  return {
    "object-store": objectStoreTargets,
    events: eventsTargets,
    secret: secretTargets,
    network: networkTargets,
    cluster: clusterTargets,
    "cluster (Kubernetes)": kubernetesTargets,
    processor: processorTargets,
    "load-balancer": loadBalancerTargets,
    database: databaseTargets,
    budget: budgetTargets,
  };
}

/** The page as text. */
export async function matrixOf(tables: Tables): Promise<string> {
  const { builtTargets, provides } = await import("../components/target.ts");
  const recorded = DeployedRecord.parse(JSON.parse(readFileSync(record, "utf8")));
  // All else is typed, planned and held to the policies only.
  const deployed: Record<BuiltTarget, string[]> = {
    // By tests/end-to-end.test.ts.
    local: ["object-store", "events", "processor"],
    openstack: recorded.components,
  };
  const versions = Object.entries(recorded.versions).map(([program, version]) => `${program} ${version}`);
  const isBuilt = (target: Target): target is BuiltTarget => builtTargets.some((built) => built === target);
  const cell = (noun: string, table: Tables[string], target: Target) => {
    if (!isBuilt(target)) return "not built yet";
    if (!provides(table[target])) return "unsupported";
    return deployed[target].includes(noun) ? "deployed here" : "planned";
  };
  const gaps = Object.entries(tables).flatMap(([noun, table]) =>
    builtTargets.flatMap((target) => {
      const entry = table[target];
      if (!provides(entry)) return [row([noun, target, "the whole component", entry.omitted])];
      return Object.entries(entry.unsupported).map(([argument, instead]) =>
        row([noun, target, `\`${argument}\``, instead]),
      );
    }),
  );
  return `<!-- Written by \`npx cais matrix\` from the tables in components/: change those. -->

# Components and targets

*Deployed here*: a test makes it for real. *Planned*: typed, planned offline and held to the policies; we never deployed
it. *Unsupported*: there is nothing to build, and the second table says what takes its place. *Not built yet*: choosing the
target is an error.

${[row(["component", ...targets]), row(["---", ...targets.map(() => "---")]), ...Object.entries(tables).map(([noun, table]) => row([noun, ...targets.map((target) => cell(noun, table, target))]))].join("\n")}

On openstack, deployed on ${recorded.date} on services without machines behind them: ${versions.join(", ")}.

## What a target cannot honour

Asking for it is a warning in the plan, or an error where going on would leave open what was to be closed.

${[row(["component", "target", "argument", "instead"]), row(["---", "---", "---", "---"]), ...gaps].join("\n")}
`;
}

const row = (cells: string[]) => `| ${cells.join(" | ")} |`;
