import { join } from "node:path";
import { packages as deltaPackages } from "../delta/peer.ts";
import type { Peer } from "../peer.ts";
import { installPython } from "../python-packages.ts";
import { stopServices } from "../services.ts";
import { packages, startLab } from "./lab.ts";

const folder = join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "openstack");

/** A real Keystone and Swift (Debian's) on loopback, empty at first and stopped afterwards; the logs stay. */
export const peer: Peer = {
  installs: `installs Debian's ${packages.join(", ")} with apt-get where they are not there (about 400 MB on a bare machine) and ${deltaPackages.join(", ")} into .cais/peers/delta with uv or pip (about 340 MB), and starts Keystone and Swift in .cais/peers/openstack`,
  async prepare() {
    const python = await installPython("delta", deltaPackages);
    const { clouds } = await startLab(folder);
    return { CAIS_OPENSTACK: join(folder, "lab.json"), OS_CLIENT_CONFIG_FILE: clouds, CAIS_PYTHON: python };
  },
  stop: async () => stopServices(folder),
};
