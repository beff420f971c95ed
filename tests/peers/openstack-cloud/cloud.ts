import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFile, copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { installDebianPackages } from "../debian-packages.ts";
import { keystoneCall, logIn, type KeystoneSession } from "../openstack/calls.ts";
import { ini } from "../openstack/ini.ts";
import { startLab } from "../openstack/lab.ts";
import { addService, grant, one, user } from "../openstack/seed.ts";
import { answers, freePorts, startService, until } from "../services.ts";
import { startDatabase, startQueue } from "./backends.ts";
import { cinder } from "./cinder.ts";
import { barbican, heat, magnum } from "./heat.ts";
import { glance, neutron, nova, placement } from "./nova.ts";
import { octavia } from "./octavia.ts";
import { cloudPortNames, dataOf, type Cloud, type Part, type Program } from "./part.ts";
import { trove } from "./trove.ts";

const run = promisify(execFile);

/** What several of the services want. */
const packages = ["mariadb-server", "rabbitmq-server", "python3-pymysql"];

/** The parts, in the order in which they want each other, each with the packages that it is made of. */
const parts = {
  placement: { part: placement, packages: ["placement-api"] },
  glance: { part: glance, packages: ["glance-api"] },
  neutron: { part: neutron, packages: ["neutron-server"] },
  cinder: { part: cinder, packages: ["cinder-api", "cinder-scheduler"] },
  nova: { part: nova, packages: ["nova-common", "nova-api", "nova-conductor", "nova-scheduler"] },
  heat: { part: heat, packages: ["heat-api", "heat-engine"] },
  magnum: { part: magnum, packages: ["magnum-api", "magnum-conductor"] },
  barbican: { part: barbican, packages: ["barbican-api"] },
  octavia: { part: octavia, packages: ["octavia-api", "octavia-worker"] },
  trove: { part: trove, packages: ["trove-api", "trove-taskmanager"] },
};
export type PartName = keyof typeof parts;

/** With all of these, a lab is one that the commands of docs/openstack.md are tried on. */
const clients = ["python3-openstackclient", "python3-heatclient", "python3-magnumclient", "python3-barbicanclient"];

const random = (bytes: number) => randomBytes(bytes).toString("hex");

/** Starts a lab with these services, or all, empty. Throws `Unavailable` where Debian's packages cannot be had. */
export async function startCloud(folder: string, names?: readonly PartName[]): Promise<Cloud> {
  const openStack = await startLab(folder);
  const chosen = (names ?? (Object.keys(parts) as PartName[])).map((name) => parts[name]);
  const wanted = [...packages, ...(names ? [] : clients), ...chosen.flatMap((one) => one.packages)];
  await installDebianPackages(wanted, join(folder, "log", "apt.log"));
  const cloud: Cloud = {
    ...openStack,
    cloudPorts: await freePorts(cloudPortNames),
    cloudSecrets: { database: random(18), queue: random(18), domain: random(18), key: random(16) },
  };
  const made = chosen.map(({ part }) => part(cloud));
  await Promise.all([
    startDatabase(
      cloud,
      made.flatMap(({ databases }) => databases),
    ),
    startQueue(cloud),
  ]);
  await plugIn(cloud);
  await enrol(cloud, made);
  // Two at a time: the machines of the tests have two processors.
  const waiting = [...made];
  await Promise.all([prepareAll(cloud, waiting), prepareAll(cloud, waiting)]);
  for (const { name, programs } of made)
    for (const [program, { command, env }] of Object.entries(programs))
      await startService(folder, program, command, { ...environmentOf(cloud, name), ...env });
  for (const {
    answers: [program, url],
  } of made)
    await answers(folder, program, url);
  for (const {
    name,
    answers: [program],
    isReady,
  } of made)
    if (isReady)
      await until(folder, program, `says "${isReady.says}"`, async () =>
        (await runOnce(cloud, name, isReady)).includes(isReady.says),
      );
  await writeFile(join(folder, "lab.json"), JSON.stringify(cloud, undefined, 2), { mode: 0o600 });
  return cloud;
}

const environmentOf = (cloud: Cloud, name: string) => ({
  HOME: dataOf(cloud, name),
  PYTHONPATH: join(cloud.folder, "plugins"),
});

/** Puts our drivers where the services look for them. */
async function plugIn({ folder }: Cloud): Promise<void> {
  const about = join(folder, "plugins", "lab-1.dist-info");
  await mkdir(about, { recursive: true });
  for (const file of ["bind_all.py", "octavia_ports.py", "trove_guest.py"])
    await copyFile(join(import.meta.dirname, file), join(folder, "plugins", file));
  await writeFile(join(about, "METADATA"), "Metadata-Version: 2.1\nName: lab\nVersion: 1\n");
  const drivers = {
    "neutron.ml2.mechanism_drivers": { bind_all: "bind_all:BindAll" },
    "octavia.network.drivers": { ports_driver: "octavia_ports:Ports" },
  };
  await writeFile(join(about, "entry_points.txt"), ini(drivers));
}

/** Those that keep users of their own. */
const domains = new Set(["heat", "magnum"]);

/** Makes the services' users, their lines of the catalog, and the domains of those that keep users of their own. */
async function enrol(cloud: Cloud, made: readonly Part[]): Promise<void> {
  const admin = await logIn(cloud, "admin", cloud.secrets.admin, "admin");
  const roles = await Promise.all(["admin", "service"].map(async (name) => one(admin, "role", { name })));
  const project = await one(admin, "project", { name: "service", domain_id: "default" });
  // One after the other: Keystone's SQLite has one writer.
  for (const { name, catalog } of made) {
    const { id } = await user(admin, name, cloud.secrets.service);
    for (const role of roles) await grant(admin, project.id, id, role);
    for (const line of catalog) await addService(admin, cloud.region, line);
  }
  for (const { name } of made) if (domains.has(name)) await addDomain(cloud, admin, name);
}

async function addDomain(cloud: Cloud, admin: KeystoneSession, name: string): Promise<void> {
  const domain = await one(admin, "domain", { name });
  const role = await one(admin, "role", { name: "admin" });
  const { user: owner } = await keystoneCall<{ user: { id: string } }>(admin, "POST", "/users", {
    user: { name: `${name}_domain_admin`, domain_id: domain.id, password: cloud.cloudSecrets.domain },
  });
  await keystoneCall(admin, "PUT", `/domains/${domain.id}/users/${owner.id}/roles/${role.id}`);
}

/** Takes one part after the other from those that wait. */
async function prepareAll(cloud: Cloud, waiting: Part[]): Promise<void> {
  for (let part = waiting.shift(); part; part = waiting.shift()) await prepare(cloud, part);
}

/** Writes a part's configuration and makes its tables. */
async function prepare(cloud: Cloud, { name, files, folders = [], sync }: Part): Promise<void> {
  const { folder } = cloud;
  await mkdir(dataOf(cloud, name), { recursive: true });
  for (const one of folders) await mkdir(join(dataOf(cloud, name), one), { recursive: true });
  for (const [path, sections] of Object.entries(files)) {
    const file = join(folder, "etc", name, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, ini(sections), { mode: 0o600 });
  }
  for (const program of sync)
    await appendFile(join(folder, "log", `${name}-database.log`), await runOnce(cloud, name, program));
}

/** Runs a part's program to its end, and gives what it said. */
async function runOnce(cloud: Cloud, name: string, { command, env }: Program): Promise<string> {
  const [program, ...arguments_] = command;
  const path = { LANG: "C.UTF-8", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
  const options = { cwd: cloud.folder, env: { ...path, ...environmentOf(cloud, name), ...env }, timeout: 600_000 };
  const { stdout, stderr } = await run(program, arguments_, { ...options, maxBuffer: 64 * 1024 * 1024 });
  return stdout + stderr;
}
