import type * as pulumi from "@pulumi/pulumi";
import { Cluster, type ClusterArgs } from "./index.ts";
import type { Tags } from "../tags.ts";
import type { KubernetesArgs, KubernetesCluster } from "./kubernetes.ts";

/** What a config may choose a cluster by. */
export const clusterKinds = { machine: "vm", pods: "kubernetes" } as const satisfies Record<
  string,
  (ClusterArgs | KubernetesArgs)["kind"]
>;

/** The cluster of the kind that is chosen. What only the other one needs is not loaded. */
export async function chosenCluster(
  name: string,
  args: ClusterArgs | (KubernetesArgs & { tags: Tags }),
  opts?: pulumi.ComponentResourceOptions,
): Promise<Cluster | KubernetesCluster> {
  if (args.kind === clusterKinds.machine) return new Cluster(name, args, opts);
  const { KubernetesCluster: Pods } = await import("./kubernetes.ts");
  return new Pods(name, args, opts);
}
