import type { SecretTarget } from "./index.ts";

export const local: SecretTarget = {
  unsupported: {
    value: "write it to the file `secrets/NAME` in the data folder, mode 0600, and take it out of the config",
  },
  provision(name) {
    return { binding: { driver: "file", path: `secrets/${name}` }, nodes: {} };
  },
};
