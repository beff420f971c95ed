import * as pulumi from "@pulumi/pulumi";
import type { LineageBinding, ProcessorConfig } from "@cais/spec/bindings.ts";
import type { Stack } from "@cais/spec/stack.ts";
import type { Bound } from "../bound.ts";
import type { Events } from "../events/index.ts";
import type { ObjectStore } from "../object-store/index.ts";
import type { Secret } from "../secret/index.ts";
import type { Tags } from "../tags.ts";
import { stackTarget, type BuiltTarget, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { local } from "./local.ts";
import { openstack } from "./openstack.ts";
import type { Runner } from "./runner.ts";

/** A pipeline stack and the components it was given. */
export interface Pipeline {
  stack: Stack;
  /** The text of each SQL file that the stack names. */
  sql: Record<string, string>;
  stores: { input: ObjectStore; lake: ObjectStore; output: ObjectStore };
  events: Events;
  /** By the name that the stack gives each. */
  secrets: Record<string, Secret>;
}

/** Who fetches an image. The processor itself never sees it. */
export interface RegistryLogin {
  username: string;
  password: Secret;
}

export interface ProcessorArgs {
  tags: Tags;
  pipelines: Pipeline[];
  /** What runs it on a target that has clusters: a cluster of this Pulumi stack or of the one that it refers to. */
  cluster?: Runner | undefined;
  /** Its image with the digest: `registry/name@sha256:…`. */
  image?: string | undefined;
  /** Login of the image's registry, where it asks for one. Default: none. */
  registry?: RegistryLogin | undefined;
  /** What the whole processor may use; its SQL engine gets half of the memory. Default: 2 GB, 2 cpus, 20 GB of temporary files. */
  limits?: { memoryBytes: number; cpus: number; tempBytes: number };
  /** Port of the API. Default: 8080. */
  port?: number;
  /** Who else than this machine may call the API (CIDRs); the network must let them in. Needs a token. Default: nobody. */
  allowFrom?: string[];
  /** Who stands before the API and is believed in saying who calls, by X-Forwarded-For (CIDRs). Default: nobody. */
  trustedProxies?: string[] | undefined;
  /** Private addresses (CIDRs) that sinks may send to. Default: none. */
  allowPrivate?: string[];
  /** Who is told of runs as OpenLineage. Default: nobody. */
  lineage?: LineageBinding | undefined;
  /** Bearer token that the API asks for. */
  token?: Secret | undefined;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget;
}

export interface ProcessorTarget {
  readonly unsupported: Unsupported<ProcessorArgs>;
  provision(
    name: string,
    args: ProcessorArgs & {
      config: Bound<ProcessorConfig>;
      limits: NonNullable<ProcessorArgs["limits"]>;
      port: number;
    },
    opts: pulumi.CustomResourceOptions,
  ): { nodes: Record<string, pulumi.Resource> };
}

/** Whether the API is not on a loopback of its own even where nobody may call it: then it needs a token all the same. */
export const listens = (cluster: Pick<Runner, "kind"> | undefined): boolean => cluster?.kind === "kubernetes";

export const processorTargets = { local, openstack } satisfies TargetTable<ProcessorTarget>;

/** The one container that serves an environment's pipeline stacks, but for those that are isolated: each has its own. */
export class Processor extends pulumi.ComponentResource {
  /** The very object that the processor reads. */
  readonly config: Bound<ProcessorConfig>;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: ProcessorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:compute:Processor", name, {}, opts);
    const target = args.target ?? stackTarget();
    const { unsupported, provision } = processorTargets[target];
    honour(this, name, target, args, unsupported, ["allowFrom"]);
    const { tags, pipelines, port = 8080, allowFrom = [], trustedProxies, allowPrivate = [], lineage, token } = args;
    const limits = args.limits ?? { memoryBytes: 2e9, cpus: 2, tempBytes: 20e9 };
    const isReached = allowFrom.length > 0 || listens(args.cluster);
    if (isReached && token === undefined)
      throw new pulumi.RunError(
        `${name}: ${allowFrom.length > 0 ? "allowFrom opens the API to others" : "a pod's API listens on the pod's address, for its probes"}, so it needs a token.`,
      );

    this.config = {
      environment: tags.environment,
      target,
      api: {
        host: isReached ? "0.0.0.0" : "127.0.0.1",
        port,
        ...(token ? { token: token.binding } : {}),
        ...(trustedProxies?.length ? { trustedProxies } : {}),
      },
      engine: {
        memoryBytes: Math.floor(limits.memoryBytes / 2),
        tempBytes: limits.tempBytes,
        threads: Math.max(1, Math.floor(limits.cpus)),
      },
      allowPrivate,
      ...(lineage ? { lineage } : {}),
      stacks: Object.fromEntries(
        pipelines.map(({ stack, sql, stores: { input, lake, output }, events, secrets }) => [
          stack.name,
          {
            stack,
            sql,
            stores: { input: input.binding, lake: lake.binding, output: output.binding },
            events: events.binding,
            secrets: Object.fromEntries(Object.entries(secrets).map(([name, { binding }]) => [name, binding])),
          },
        ]),
      ),
    };
    const { nodes } = provision(name, { ...args, config: this.config, limits, port }, { parent: this });
    this.nodes = nodes;
    this.registerOutputs({ config: this.config });
  }
}
