import type { EventsTarget } from "./index.ts";

export const local: EventsTarget = {
  unsupported: { intervalSeconds: "files come through the API, and an upload confirms itself" },
  provision: () => ({ driver: "in-process" }),
};
