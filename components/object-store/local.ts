import type { ObjectStoreTarget } from "./index.ts";

export const local: ObjectStoreTarget = {
  unsupported: {
    versioned: "a folder keeps the last version only, so back it up",
    allowDataDeletion: "nothing deletes the folder, so remove it by hand",
  },
  provision(_, { tags, role }) {
    return { binding: { driver: "fs", path: `${tags.stack}/${role}` }, nodes: {} };
  },
};
