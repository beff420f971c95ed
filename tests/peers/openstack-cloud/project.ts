import { logIn } from "../openstack/calls.ts";
import { grant, one } from "../openstack/seed.ts";
import { asker } from "./ask.ts";
import type { Cloud } from "./part.ts";

/** What a deployment finds in a project: an operator's work. */
export interface Found {
  /** Ids. */
  image: string;
  external: string;
}

/** Makes a flavor, an image, the network that leads outside and a kind of volume, and gives `demo` the right to make secrets. */
export async function furnish(cloud: Cloud): Promise<Found> {
  const admin = await asker(cloud, "admin");
  await admin.ask("compute", "POST", "/flavors", { flavor: { name: "m1.large", ram: 4096, vcpus: 2, disk: 20 } });
  const { id: image } = await admin.ask<{ id: string }>("image", "POST", "/v2/images", {
    name: "debian-12",
    disk_format: "raw",
    container_format: "bare",
    visibility: "public",
    os_distro: "fedora-coreos",
  });
  await admin.ask("image", "PUT", `/v2/images/${image}/file`, "no machine boots from this");
  const { network } = await admin.ask<{ network: { id: string } }>("network", "POST", "/v2.0/networks", {
    network: {
      name: "public",
      "router:external": true,
      "provider:network_type": "flat",
      "provider:physical_network": "public",
    },
  });
  await admin.ask("network", "POST", "/v2.0/subnets", {
    subnet: { network_id: network.id, cidr: "203.0.113.0/24", ip_version: 4, enable_dhcp: false },
  });
  await admin.ask("volumev3", "POST", "/types", { volume_type: { name: "luks" } });
  const session = await logIn(cloud, "admin", cloud.secrets.admin, "admin");
  const creator = await one(session, "role", { name: "creator" });
  await grant(session, cloud.demo.projectId, cloud.demo.userId, creator);
  return { image, external: network.id };
}
