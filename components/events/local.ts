import type { EventsTarget } from "./index.ts";

const instead = "files come through the API, and an upload confirms itself";

export const local: EventsTarget = {
  unsupported: { kind: instead, secret: instead, intervalSeconds: instead, fullScanSeconds: instead },
  provision: () => ({ driver: "in-process" }),
};
