import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { logIn } from "../openstack/calls.ts";
import { grant, one } from "../openstack/seed.ts";
import { type Asker, asker } from "./ask.ts";
import type { Cloud } from "./part.ts";

/** What a deployment finds in a project: an operator's work. */
export interface Found {
  /** Ids. */
  image: string;
  external: string;
  flavor: string;
}

/** Makes a flavor, an image, the network that leads outside and a kind of volume, and gives `demo` its roles. */
export async function furnish(cloud: Cloud): Promise<Found> {
  const admin = await asker(cloud, "admin");
  const { flavor } = await admin.ask<{ flavor: { id: string } }>("compute", "POST", "/flavors", {
    flavor: { name: "m1.large", ram: 4096, vcpus: 2, disk: 20 },
  });
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
  for (const name of ["creator", "load-balancer_member"])
    await grant(session, cloud.demo.projectId, cloud.demo.userId, await one(session, "role", { name }));
  return { image, external: network.id, flavor: flavor.id };
}

/** Tells Trove of a Postgres that it can make of an image. */
export async function furnishDatabases(cloud: Cloud, image: string): Promise<void> {
  const admin = await asker(cloud, "admin");
  await admin.ask("database", "POST", "/mgmt/datastore-versions", {
    version: {
      datastore_name: "postgresql",
      datastore_manager: "postgresql",
      name: "15",
      image,
      packages: [],
      active: true,
      default: true,
    },
  });
}

/** Stores a certificate with its key as docs/openstack.md says, and gives its address. */
export async function storeCertificate(demo: Asker): Promise<string> {
  const folder = await mkdtemp(path.join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "certificate-"));
  const openssl = (...args: string[]) => promisify(execFile)("openssl", args, { cwd: folder });
  try {
    const subject = ["-days", "2", "-subj", "/CN=api.example.org"];
    await openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      "key.pem",
      "-out",
      "chain.pem",
      ...subject,
    );
    const files = ["-in", "chain.pem", "-inkey", "key.pem", "-out", "api.p12"];
    await openssl("pkcs12", "-export", "-passout", "pass:", ...files);
    const { secret_ref } = await demo.ask<{ secret_ref: string }>("key-manager", "POST", "/v1/secrets", {
      name: "cais-api",
      payload: (await readFile(path.join(folder, "api.p12"))).toString("base64"),
      payload_content_type: "application/octet-stream",
      payload_content_encoding: "base64",
    });
    return secret_ref;
  } finally {
    await rm(folder, { recursive: true });
  }
}
