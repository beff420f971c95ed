import { join } from "node:path";
import { peer as chromium } from "../chromium/peer.ts";
import { packages as deltaPackages } from "../delta/peer.ts";
import { type Peer, Unavailable } from "../peer.ts";
import { installPython } from "../python-packages.ts";
import { stopServices } from "../services.ts";
import { packages, startLab } from "./lab.ts";

const folder = join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "openstack");

/** A real Keystone and Swift (Debian's) on loopback, empty at first and stopped afterwards; the logs stay. */
export const peer: Peer = {
  installs: `installs Debian's ${packages.join(", ")} with apt-get where they are not there (about 400 MB on a bare machine) and ${deltaPackages.join(", ")} into .cais/peers/delta with uv or pip (about 340 MB), and starts Keystone and Swift in .cais/peers/openstack. ${chromium.installs}`,
  async prepare() {
    const python = await installPython("delta", deltaPackages);
    const { clouds } = await startLab(folder);
    const own = { CAIS_OPENSTACK: join(folder, "lab.json"), OS_CLIENT_CONFIG_FILE: clouds, CAIS_PYTHON: python };
    return { ...own, ...(await browser()) };
  },
  stop: async () => stopServices(folder),
};

/** Where none is to be had, all but the tests of the page run. */
async function browser(): Promise<Record<string, string>> {
  try {
    return await chromium.prepare();
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    console.log(`openstack: the page is skipped: ${error.message}`);
    return {};
  }
}
