import { randomBytes } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { installDebianPackages } from "../debian-packages.ts";
import { freePorts, startService, stopService, stopServices } from "../services.ts";
import { prepareKeystone, startKeystone } from "./keystone.ts";
import { seed, type Seeded } from "./seed.ts";
import { prepareSwift, startSwift } from "./swift.ts";

/** One OpenStack on this machine's loopback, with its state, its logs and its processes' ids in a folder of its own. */
export interface Lab {
  folder: string;
  host: string;
  region: string;
  ports: Record<(typeof portNames)[number], number>;
  /** The URL of Keystone's version 3. */
  keystone: string;
  /** The URL of Swift, which is that of its S3 API too. */
  swift: string;
  /** Made at random. */
  secrets: Record<(typeof secretNames)[number], string>;
}

/** A lab with its users: what tests read. */
export interface OpenStack extends Lab, Seeded {}

const portNames = ["keystone", "proxy", "account", "container", "object", "memcached"] as const;
const secretNames = ["admin", "demo", "alt", "reader", "service", "tempUrlKey", "swiftPrefix", "swiftSuffix"] as const;

/** What Keystone and Swift are made of. Their own packages would add users, jobs and databases, and start services. */
export const packages = [
  "python3-keystone",
  "python3-swift",
  "python3-memcache",
  "memcached",
  "uwsgi-core",
  "uwsgi-plugin-python3",
];

/**
 * Installs what is missing, and starts Keystone, Swift and memcached anew and empty. They run as whoever calls this: only
 * installing needs root. Throws `Unavailable` where the packages cannot be had.
 */
export async function startLab(folder: string): Promise<OpenStack> {
  await stopServices(folder);
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, "log"), { recursive: true, mode: 0o700 });
  await installDebianPackages(packages, join(folder, "log", "apt.log"));
  const host = "127.0.0.1";
  const ports = await freePorts(portNames);
  const secrets = Object.fromEntries(secretNames.map((name) => [name, randomBytes(18).toString("hex")]));
  const lab: Lab = {
    folder,
    host,
    ports,
    region: "RegionOne",
    keystone: `http://${host}:${ports.keystone}/v3`,
    swift: `http://${host}:${ports.proxy}`,
    secrets: secrets as Lab["secrets"],
  };
  await restartMemory(lab);
  await Promise.all([prepareKeystone(lab), prepareSwift(lab)]);
  await Promise.all([startKeystone(lab), startSwift(lab)]);
  const openStack: OpenStack = { ...lab, ...(await seed(lab)) };
  await writeFile(join(folder, "lab.json"), JSON.stringify(openStack, undefined, 2), { mode: 0o600 });
  return openStack;
}

/** Has Keystone and Swift forget what they remember of tokens, containers and limits, as a restart of memcached does. */
export async function restartMemory({ folder, host, ports }: Lab): Promise<void> {
  await stopService(folder, "memcached");
  const options = ["-u", userInfo().username, "-l", host, "-p", String(ports.memcached), "-U", "0", "-m", "64"];
  await startService(folder, "memcached", ["memcached", ...options]);
}

/** The lab that the peer has started for these tests. */
export async function openLab(): Promise<OpenStack> {
  return JSON.parse(await readFile(process.env["CAIS_OPENSTACK"] ?? "", "utf8")) as OpenStack;
}
