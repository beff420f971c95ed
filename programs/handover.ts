import { environments, StackName, targets } from "@cais/spec/names.ts";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { clusterKinds } from "../components/cluster/chosen.ts";
import type { DatabaseHost } from "../components/database/index.ts";
import type { Host } from "../components/cluster/host.ts";

/** What is known before a deployment of a cluster that is called by a kubeconfig. */
const Pods = z.object({
  nodeRange: z.string(),
  privateBalancer: z.record(z.string(), z.string()),
  state: z.object({ gb: z.number(), provisioner: z.string(), parameters: z.record(z.string(), z.string()) }),
});

/** What a shared Pulumi stack says of itself to the isolated ones: its stack output `platform`, known before a deployment. */
export const Platform = z.object({
  environment: z.enum(environments),
  target: z.enum(targets),
  /** The processor's image. */
  image: z.string().optional(),
  /** Which port of the machine is whose, and who may call it (CIDRs). */
  isolated: z.record(StackName, z.object({ port: z.number().int(), allowFrom: z.array(z.string()) })),
  /** Who is believed in saying who calls (CIDRs), if anybody is. */
  trustedProxies: z.array(z.string()).optional(),
  pods: Pods.optional(),
  /** Where it has one that stacks may take. */
  database: z.object({ tls: z.boolean() }).optional(),
});
export type Platform = z.output<typeof Platform>;

/** All that a shared Pulumi stack hands to the isolated ones: these stack outputs, by their names. */
export interface Handover {
  platform: Platform;
  /** Where a machine takes its workloads from. */
  workloads?: pulumi.Output<string>;
  /** How the other kind of cluster is called: a secret. */
  kubeconfig?: pulumi.Output<string>;
  /** Where that database is. */
  databaseAddress?: pulumi.Output<string>;
}

/** What a shared Pulumi stack hands over, with its cluster and its database. */
export function handOver(
  platform: Omit<Platform, "pods" | "database">,
  host: Host,
  database: DatabaseHost | undefined,
): Handover {
  const { platform: known, ...outputs } = handOverHost(platform, host);
  if (database === undefined) return { platform: known, ...outputs };
  const { address, tls } = database;
  return { platform: { ...known, database: { tls } }, ...outputs, databaseAddress: address };
}

function handOverHost(platform: Platform, host: Host): Handover {
  if (host.kind === clusterKinds.machine) return { platform, workloads: host.workloads };
  const { nodeRange, privateBalancer, state } = host;
  const { gb, provisioner, parameters } = state;
  const pods = {
    nodeRange,
    privateBalancer: { ...privateBalancer },
    state: { gb, provisioner, parameters: { ...parameters } },
  };
  return { platform: { ...platform, pods }, kubeconfig: host.kubeconfig };
}

/**
 * Takes over from a shared Pulumi stack of the project. `allowDataDeletion` is the isolated stack's own first switch for
 * its state. Throws a `RunError` that names the shared one when it is not deployed, or was by a version that says something else.
 */
export async function takeOver(
  shared: string,
  allowDataDeletion: boolean,
): Promise<{ platform: Platform; host: Host; database: DatabaseHost | undefined }> {
  const name = `${pulumi.getOrganization()}/${pulumi.getProject()}/${shared}`;
  const reference = new pulumi.StackReference(name);
  const { value } = await reference.getOutputDetails("platform");
  const { data, error } = Platform.safeParse(value);
  if (error) {
    const problem =
      value === undefined
        ? `has no output \`platform\` (a plan needs its Pulumi.${shared}.yaml)`
        : `has an output \`platform\` that this version cannot read (${z.prettifyError(error).replaceAll(/\s+/g, " ")})`;
    throw new pulumi.RunError(`The shared stack ${name} ${problem}; deploy it first with: pulumi up -s ${shared}`, {
      cause: error,
    });
  }
  const { pods } = data;
  const text = (output: keyof Handover) => reference.requireOutput(output).apply((value: string) => value);
  const host: Host = pods
    ? {
        kind: clusterKinds.pods,
        kubeconfig: pulumi.secret(text("kubeconfig")),
        ...pods,
        state: { ...pods.state, allowDataDeletion },
      }
    : { kind: clusterKinds.machine, workloads: text("workloads") };
  const database = data.database && { ...data.database, address: text("databaseAddress") };
  return { platform: data, host, database };
}
