import * as pulumi from "@pulumi/pulumi";
import type { EventsBinding } from "@cais/spec/bindings.ts";
import { stackTarget, type BuiltTarget, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { local } from "./local.ts";
import { openstack } from "./openstack.ts";

export interface EventsArgs {
  /** How often the store is listed, where nothing tells of a new object. Default: 5. */
  intervalSeconds?: number;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget;
}

export interface EventsTarget {
  readonly unsupported: Unsupported<EventsArgs>;
  provision(args: { intervalSeconds: number }): EventsBinding;
}

export const eventsTargets = { local, openstack } satisfies TargetTable<EventsTarget>;

/** How the processor hears of a new object in a store. */
export class Events extends pulumi.ComponentResource {
  readonly binding: EventsBinding;

  constructor(name: string, args: EventsArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("cais:messaging:Events", name, {}, opts);
    const target = args.target ?? stackTarget();
    const { unsupported, provision } = eventsTargets[target];
    honour(this, name, target, args, unsupported);
    this.binding = provision({ intervalSeconds: args.intervalSeconds ?? 5 });
    this.registerOutputs({ binding: this.binding });
  }
}
