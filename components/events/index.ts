import * as pulumi from "@pulumi/pulumi";
import type { EventsBinding } from "@cais/spec/bindings.ts";
import type { Secret } from "../secret/index.ts";
import { stackTarget, type BuiltTarget, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { local } from "./local.ts";
import { openstack } from "./openstack.ts";

/** Who tells of a new object: nobody, so that the store is listed; its proxy; or Ceph's gateway. */
export const eventsKinds = ["monitor", "webhook", "radosgw"] as const;

export interface EventsArgs {
  /** Default: monitor. */
  kind?: (typeof eventsKinds)[number];
  /** With which they who tell prove who they are; webhook and radosgw need one. */
  secret?: Secret | undefined;
  /** How often the monitor looks at the folders of these days. Default: 5. */
  intervalSeconds?: number;
  /** How often all of the store is listed. Default: 900, and of the monitor what its scans allow. */
  fullScanSeconds?: number;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget;
}

export interface EventsTarget {
  readonly unsupported: Unsupported<EventsArgs>;
  provision(name: string, args: Omit<EventsArgs, "target">): EventsBinding;
}

export const eventsTargets = { local, openstack } satisfies TargetTable<EventsTarget>;

/** How the processor hears of a new object in a store. */
export class Events extends pulumi.ComponentResource {
  readonly binding: EventsBinding;
  /** For whoever places its file. */
  readonly secret: Secret | undefined;

  constructor(name: string, args: EventsArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("cais:messaging:Events", name, {}, opts);
    const target = args.target ?? stackTarget();
    const { unsupported, provision } = eventsTargets[target];
    honour(this, name, target, args, unsupported);
    this.binding = provision(name, args);
    this.secret = args.secret;
    this.registerOutputs({ binding: this.binding });
  }
}
