import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { installDebianPackages } from "../debian-packages.ts";
import { keystoneCall, logIn } from "../openstack/calls.ts";
import { startLab } from "../openstack/lab.ts";
import { addService } from "../openstack/seed.ts";
import type { Peer } from "../peer.ts";
import { freePorts, stopServices } from "../services.ts";
import { packages, startCeph } from "./ceph.ts";

const folder = join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "radosgw");

/** The gateway's region in the catalog; the other one is Swift's own. */
const region = "Ceph";

/** Ceph's gateway with a cluster in memory, behind a real Keystone: all Debian's, on loopback, and stopped afterwards. */
export const peer: Peer = {
  installs: `installs Debian's ${packages.join(", ")} (80 MB to download) and those of the peer openstack with apt-get where they are not there, and starts Keystone, Swift and Ceph in .cais/peers/radosgw`,
  prepare: () => startRadosgw(folder),
  stop: async () => stopServices(folder),
};

/** What the tests read of the gateway. */
export interface Radosgw {
  endpoint: string;
  region: string;
}

/** Starts it in a folder. Throws `Unavailable` where the packages cannot be had. */
export async function startRadosgw(folder: string): Promise<Record<string, string>> {
  const lab = await startLab(folder);
  await installDebianPackages(packages, join(folder, "log", "apt.log"));
  const ports = await freePorts(["mon", "gateway"] as const);
  await startCeph(lab, ports);
  const endpoint = `http://${lab.host}:${ports.gateway}`;
  const admin = await logIn(lab, "admin", lab.secrets.admin, "admin");
  await keystoneCall(admin, "POST", "/regions", { region: { id: region } });
  await addService(admin, region, {
    type: "object-store",
    name: "swift",
    url: `${endpoint}/swift/v1/AUTH_%(project_id)s`,
  });
  const radosgw: Radosgw = { endpoint, region };
  await writeFile(join(folder, "radosgw.json"), JSON.stringify(radosgw));
  return { CAIS_OPENSTACK: join(folder, "lab.json"), CAIS_RADOSGW: join(folder, "radosgw.json") };
}
