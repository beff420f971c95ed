import * as pulumi from "@pulumi/pulumi";
import type { EventsTarget } from "./index.ts";

/** How long an object may stay unseen of which nobody told. */
const NET_SECONDS = 900;

// Swift itself tells nobody of a new object: https://docs.openstack.org/swift/latest/s3_compat.html lists notifications as absent.
export const openstack: EventsTarget = {
  unsupported: {},
  provision(name, { kind = "monitor", secret, intervalSeconds = 5, fullScanSeconds }) {
    if (kind === "monitor")
      return { driver: kind, intervalSeconds, ...(fullScanSeconds === undefined ? {} : { fullScanSeconds }) };
    if (secret === undefined) throw new pulumi.RunError(`${name}: events by ${kind} need a secret.`);
    return { driver: kind, secret: secret.binding, fullScanSeconds: fullScanSeconds ?? NET_SECONDS };
  },
};
