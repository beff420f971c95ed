import type { ProcessorConfig } from "@cais/spec/bindings.ts";
import type * as pulumi from "@pulumi/pulumi";
import type { Host } from "../cluster/host.ts";
import type { Tags } from "../tags.ts";

/** A secret as a workload gets it. */
export interface MountedSecret {
  /** Its file in the container. */
  readonly file: string;
  readonly value: pulumi.Output<string>;
  /** Where the target keeps it. */
  readonly reference: pulumi.Output<string>;
}

/** One container with all that it needs, as every kind of cluster can run it. */
export interface Workload {
  readonly name: string;
  readonly tags: Tags;
  /** Image with its digest. */
  readonly image: string;
  /** How its registry is logged in to, if it asks. */
  readonly login?: { readonly username: string; readonly password: MountedSecret } | undefined;
  readonly memoryBytes: number;
  readonly cpus: number;
  /** Port of its API. */
  readonly port: number;
  /** Who may call it (CIDRs). */
  readonly allowFrom: readonly string[];
  readonly config: pulumi.Output<ProcessorConfig>;
  readonly secrets: readonly MountedSecret[];
  /** Certificates (PEM) that it trusts besides the public ones. */
  readonly authorities?: readonly string[] | undefined;
}

/** What puts workloads on one cluster. */
export interface Runner {
  readonly kind: Host["kind"];
  run(workload: Workload, opts: pulumi.CustomResourceOptions): Record<string, pulumi.Resource>;
}

/** The user in the container. No user of a machine has this id. */
export const uid = 10_001;

/** Seconds that a run in progress has to reach its next safe point. */
export const graceSeconds = 60;

/** What puts workloads on a cluster. Only what its kind needs is loaded. */
export async function runnerOn(host: Host): Promise<Runner> {
  switch (host.kind) {
    case "vm":
      return (await import("./machine.ts")).runnerOn(host);
    case "kubernetes":
      return (await import("./kubernetes.ts")).runnerOn(host);
  }
}
