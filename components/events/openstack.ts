import type { EventsTarget } from "./index.ts";

// Swift tells nobody of a new object: https://docs.openstack.org/swift/latest/s3_compat.html lists notifications as absent.
export const openstack: EventsTarget = {
  unsupported: {},
  provision: ({ intervalSeconds }) => ({ driver: "monitor", intervalSeconds }),
};
