import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startCloud } from "../openstack-cloud/cloud.ts";
import { furnish } from "../openstack-cloud/project.ts";
import type { Peer } from "../peer.ts";
import { stopServices } from "../services.ts";

const folder = join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "openstack-api");

/** What the program asks for, made by the services' own APIs: neither Pulumi's CLI nor a provider's plugin is needed. */
export const peer: Peer = {
  installs:
    "installs Debian's Keystone, Swift, Nova, Neutron, Cinder, Glance, Placement, Heat, Magnum, Barbican, MariaDB and RabbitMQ with apt-get where they are not there (190 MB to download), and starts them in .cais/peers/openstack-api (2 GB of memory)",
  async prepare() {
    const cloud = await startCloud(folder, [
      "placement",
      "glance",
      "neutron",
      "cinder",
      "nova",
      "heat",
      "magnum",
      "barbican",
    ]);
    await writeFile(join(folder, "project.json"), JSON.stringify(await furnish(cloud)));
    return { CAIS_OPENSTACK: join(folder, "lab.json"), CAIS_OPENSTACK_PROJECT: join(folder, "project.json") };
  },
  stop: async () => stopServices(folder),
};
