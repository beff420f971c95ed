import type { ObjectStoreTarget } from "./index.ts";

export const local: ObjectStoreTarget = {
  unsupported: {
    versioned: "a folder keeps the last version only, so back it up",
    announced: "nothing stands before a folder; the monitor lists it",
    tempUrlKey: "a folder has no address, so files go through the processor",
    allowDataDeletion: "nothing deletes the folder, so remove it by hand",
  },
  // In a folder of their own: a stack may bear the name of something else that the processor keeps.
  provision(_, { tags, role }) {
    return { binding: { driver: "fs", path: `stores/${tags.stack}/${role}` }, nodes: {} };
  },
};
