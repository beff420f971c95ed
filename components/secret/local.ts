import type { SecretTarget } from "./index.ts";

export const local: SecretTarget = {
  unsupported: {
    value: "write it to the file `secrets/STACK/NAME` in the data folder, mode 0600, and take it out of the config",
  },
  provision(name, { tags }) {
    // The folder says already whose secret it is.
    const file = name.slice(name.indexOf("_") + 1);
    return { binding: { driver: "file", path: `secrets/${tags.stack}/${file}` }, nodes: {} };
  },
};
