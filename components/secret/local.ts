import type { SecretTarget } from "./index.ts";

export const local: SecretTarget = {
  unsupported: {
    value: "write it to the file `secrets/STACK/NAME` in the data folder, mode 0600, and take it out of the config",
  },
  provision(name, { tags }) {
    return { binding: { driver: "file", path: `secrets/${tags.stack}/${name}` }, nodes: {} };
  },
};
