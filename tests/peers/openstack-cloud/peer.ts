import { join } from "node:path";
import type { Peer } from "../peer.ts";
import { stopServices } from "../services.ts";
import { startCloud } from "./cloud.ts";

const folder = join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "openstack-cloud");

/** A real Keystone, Swift, Placement, Glance, Neutron, Cinder, Nova, Heat, Magnum, Barbican, Octavia and Trove, without machines behind them. */
export const peer: Peer = {
  installs:
    "installs Debian's Keystone, Swift, Nova, Neutron, Cinder, Glance, Placement, Heat, Magnum, Barbican, Octavia, Trove, MariaDB and RabbitMQ with apt-get where they are not there (about 900 MB), and starts them in .cais/peers/openstack-cloud (2 GB of memory)",
  async prepare() {
    const { clouds } = await startCloud(folder);
    return { CAIS_OPENSTACK: join(folder, "lab.json"), OS_CLIENT_CONFIG_FILE: clouds };
  },
  stop: async () => stopServices(folder),
};
