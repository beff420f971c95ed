import { createHash } from "node:crypto";
import { copyFile, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { Cloud, secretId } from "../../../components/cluster/cloud-for-tests.ts";
import { cloudInit } from "../../../components/cluster/cloud-init.ts";
import { record, resolved } from "../../../components/conformance.ts";
import { unit } from "../../../components/processor/unit.ts";
import { stopServices } from "../services.ts";
import { makeAuthority } from "./authority.ts";
import { Machine, outside } from "./machine.ts";
import { startMetadata, type Told } from "./metadata.ts";
import { startRegistry, username } from "./registry.ts";

// An emulated processor is some twenty times slower than the real one, and this computer may have other work.
const LONG = 3_000_000;
vi.setConfig({ testTimeout: LONG });
const uid = 10_001;
const volumeId = "3f0c0a1e-0b5c-4f0b-8d5e-0123456789ab";
const registrySecret = "2ab27cf1-f179-48fa-aed7-b39c4a5702cd";
const state = "/var/lib/cais/processor";
const disk = `/dev/disk/by-id/virtio-${volumeId.slice(0, 20)}`;

/** In place of the processor, it writes down what it is given, and what it can reach. */
const script = `
cd /data
echo "the stand-in has begun"
echo "$(date +%s)" >> starts
rm -f ca.pem seen
cp /etc/cais/ca.pem ca.pem
ls -ln /run/cais/secrets > secrets
grep -E "^[UG]id:" /proc/self/status > who
touch /x 2> read-only
reach() { timeout 20 bash -c "exec 3<>/dev/tcp/$1/$2" 2> /dev/null && echo reached || echo not reached; }
reach 169.254.169.254 80 > metadata
reach ${outside} "$(cat /run/cais/secrets/port)" > outside
cp /etc/cais/config.json seen
trap "echo stopped >> starts; exit 0" TERM
while :; do sleep 1; done`;

const folder = process.env["CAIS_MACHINE"] ?? "";
const at = (file: string) => join(folder, file);
let cloud: Cloud;
let told: Told = { instanceId: "11111111-1111-4111-8111-111111111111", userData: "" };
let metadata: Awaited<ReturnType<typeof startMetadata>>;
let image = "";
let login: { server: string; username: string; password: string };
let ca = "";
let machine: Machine;

async function newMachine(name: string): Promise<Machine> {
  const disk = at(`${name}.img`);
  await copyFile(at("disk.img"), disk);
  const volume = at("volume.img");
  return new Machine({ folder, name, disk, volume, volumeId, metadataPort: metadata.port });
}

/** Puts the workload where the machine looks, as the program does. */
function putWorkload(config: unknown): void {
  const text = unit({
    name: "processor",
    image,
    uid,
    memoryBytes: 256e6,
    cpus: 1,
    hasAuthorities: true,
    hasLogin: true,
  });
  const unitSha256 = createHash("sha256").update(text).digest("hex");
  const secrets = [{ file: "port", reference: `https://other.test/v1/secrets/${secretId}` }];
  cloud.put("processor", { unitSha256, uid, config, secrets, ca, registry: login }, text);
}

/** Of the workload with this config: its container has come to its end of writing. */
const ran = async (config: string) => machine.until(`cat ${state}/seen`, (seen) => seen === config);
const lines = (text: string) => text.trim().split("\n").filter(Boolean);

beforeAll(async () => {
  const authority = await makeAuthority(folder, outside);
  ({ ca } = authority);
  cloud = new Cloud(uid, authority);
  await cloud.start(outside);
  const registry = await startRegistry(folder, authority, script);
  image = `${outside}:${registry.port}/${registry.image}`;
  login = {
    server: `${outside}:${registry.port}`,
    username,
    password: `https://other.test/v1/secrets/${registrySecret}`,
  };
  metadata = await startMetadata(() => told);
  cloud.secrets.set(secretId, String(metadata.port)).set(registrySecret, registry.password);
  putWorkload({ n: 1 });
  const identity = { authUrl: `${cloud.url}/v3`, region: "here", container: "workloads", id: "an id", secret: "right" };
  const { result } = await record(() => cloudInit({ ...identity, ca: [ca], stateVolume: volumeId }));
  told = { ...told, userData: await resolved(result) };
  await writeFile(at("volume.img"), "");
  await truncate(at("volume.img"), 2 ** 30);
  machine = await newMachine("first");
  await machine.start();
}, LONG);
afterAll(async () => {
  machine.kill();
  metadata.server.close();
  await cloud.stop();
  await stopServices(folder);
  // The logs stay; the disks take gigabytes.
  const disks = ["disk", "first", "second", "volume"].map((name) => at(`${name}.img`));
  await Promise.all(disks.map((disk) => rm(disk, { force: true })));
});

it("comes up without an error of cloud-init, and runs the workload", async () => {
  // It is there once cloud-init has ended, and has every error.
  const result = await machine.until("cat /run/cloud-init/result.json", (said) => said.includes("datasource"));
  expect(JSON.parse(result)).toEqual({ v1: { datasource: expect.stringMatching(/^DataSourceOpenStack/), errors: [] } });
  await ran('{"n": 1}');
  expect(lines(await machine.run("systemctl list-units --failed --plain --no-legend"))).toEqual([]);
});

it("has the units on, and files that only their users read", async () => {
  const units = ["cais-metadata-block.service", "cais-state-volume.service", "cais-sync.timer"];
  expect(lines(await machine.run(`systemctl is-enabled ${units.join(" ")}`))).toEqual(units.map(() => "enabled"));
  expect(lines(await machine.run(`systemctl is-active ${units.join(" ")} cais-processor`))).toEqual(
    [...units, ""].map(() => "active"),
  );
  const files = {
    "/etc/cais/identity.json": "600 0:0",
    "/etc/docker/daemon.json": "644 0:0",
    "/usr/local/lib/cais/sync.py": "755 0:0",
    "/etc/cais/workloads/processor/config.json": `400 ${uid}:${uid}`,
    "/etc/cais/workloads/processor/ca.pem": `400 ${uid}:${uid}`,
    "/run/cais/secrets/processor": `700 ${uid}:${uid}`,
    "/run/cais/secrets/processor/port": `400 ${uid}:${uid}`,
    "/run/cais/registry": "700 0:0",
    "/run/cais/registry/processor/config.json": "400 0:0",
    [state]: `700 ${uid}:${uid}`,
  };
  const modes = lines(await machine.run(`stat --format '%a %u:%g' ${Object.keys(files).join(" ")}`));
  expect(Object.fromEntries(Object.keys(files).map((file, n) => [file, modes[n]]))).toEqual(files);
});

it("says on the console, which the cloud keeps, what it does", async () => {
  const said = await readFile(at("first.console.log"), "utf8");
  expect(said).toMatch(/processor: applied [0-9a-f]{12}/);
  expect(said).toContain("the stand-in has begun");
});

it("lets nobody log in", async () => {
  // Nobody but system users, of whom root has no password and may not come by ssh.
  const people = await machine.run("awk -F: '$3 >= 1000 && $1 != \"nobody\" { print $1 }' /etc/passwd");
  expect(people).toBe("");
  expect(await machine.run("awk -F: '$2 !~ /^[!*]/ { print $1 }' /etc/shadow")).toBe("");
  expect(await machine.run("getent passwd cais")).toMatch(/:\/usr\/sbin\/nologin\n$/);
  const sshd = await machine.run("sshd -T");
  expect(sshd).toMatch(/^passwordauthentication no$/m);
});

it("keeps the state on the volume, which it formatted", async () => {
  const device = (await machine.run(`readlink --canonicalize ${disk}`)).trim();
  const mounted = await machine.run("findmnt --noheadings --output SOURCE,FSTYPE,OPTIONS --mountpoint /var/lib/cais");
  expect(mounted.split(/\s+/)).toEqual([device, "ext4", expect.stringMatching(/^rw,nosuid,nodev,noexec/), ""]);
  expect(await machine.run(`blkid --probe --match-tag LABEL --output value ${disk}`)).toBe("cais-state\n");
});

it("runs the container as a user without rights, whose world is read-only", async () => {
  expect(await machine.run(`cat ${state}/who`)).toBe(
    ["Uid", "Gid"].map((of) => `${of}:${`\t${uid}`.repeat(4)}\n`).join(""),
  );
  expect(await machine.run(`cat ${state}/read-only`)).toMatch(/Read-only file system/);
  expect(await machine.run(`cat ${state}/ca.pem`)).toBe(ca);
  // The registry's login is not among them.
  expect(lines(await machine.run(`cat ${state}/secrets`)).map((line) => line.split(/\s+/).at(-1))).toEqual([
    expect.any(String),
    "port",
  ]);
  const inspect =
    "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Memory}}";
  expect(await machine.run(`docker inspect --format '${inspect}' cais-processor`)).toBe(
    "true [ALL] [no-new-privileges] 256000000\n",
  );
});

it("tells the container of its syncs, which cannot say otherwise", async () => {
  // The first sync starts the container, and tells when it has ended.
  const inside = "docker exec cais-processor bash -c";
  const said = await machine.until(`${inside} 'cat "$CAIS_SYNC"'`, (told) => told.includes('"problems": 0'));
  expect(JSON.parse(said)).toEqual({ at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/), problems: 0 });
  const { code, told: refusal } = await machine.try(`${inside} 'echo >> "$CAIS_SYNC"' 2>&1`);
  expect([code, refusal]).toEqual([1, expect.stringMatching(/Read-only file system|Permission denied/)]);
});

it("lets the machine ask the metadata service, and no container", async () => {
  const ask = "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://169.254.169.254/openstack\").status)'";
  expect(await machine.run(ask)).toBe("200\n");
  expect(await machine.run(`cat ${state}/metadata`)).toBe("not reached\n");
  // It is that address alone: the same service by another one answers.
  expect(await machine.run(`cat ${state}/outside`)).toBe("reached\n");
});

it("could fetch nothing from the registry without the login", async () => {
  const { code, told: answer } = await machine.try(`docker pull ${image.replace(/@.*/, ":latest")}`);
  expect([code, answer]).toEqual([1, expect.stringMatching(/no basic auth credentials|unauthorized/)]);
});

it("takes a change of the workload without being told", async () => {
  putWorkload({ n: 2 });
  await ran('{"n": 2}');
  expect(await machine.run(`cat ${state}/starts`)).toMatch(/^\d+\nstopped\n\d+\n$/);
});

it("does not begin anew at its next start", async () => {
  const formatted = await machine.run(`blkid --probe --match-tag UUID --output value ${disk}`);
  const keys = await machine.run("cat /etc/ssh/ssh_host_ed25519_key.pub");
  await machine.run(`rm ${state}/seen`);
  await machine.powerOff();
  await machine.start();
  await ran('{"n": 2}');
  expect(await machine.run(`blkid --probe --match-tag UUID --output value ${disk}`)).toBe(formatted);
  expect(await machine.run("cat /etc/ssh/ssh_host_ed25519_key.pub")).toBe(keys);
  expect(await machine.run(`cat ${state}/starts`)).toMatch(/^\d+\nstopped\n\d+\nstopped\n\d+\n$/);
  expect(await machine.run("iptables -t raw -S PREROUTING")).toBe(
    "-P PREROUTING ACCEPT\n-A PREROUTING -d 169.254.169.254/32 -j DROP\n",
  );
  // A line for each time that the user data's packages were asked for.
  expect(await machine.run("grep -c 'apt-get.*install.*docker.io' /var/log/apt/history.log")).toBe("1\n");
});

it("hands the volume to the machine that takes its place", async () => {
  const formatted = await machine.run(`blkid --probe --match-tag UUID --output value ${disk}`);
  await machine.run(`echo kept > ${state}/ledger; rm ${state}/seen`);
  await machine.powerOff();
  told = { ...told, instanceId: "22222222-2222-4222-8222-222222222222" };
  machine = await newMachine("second");
  await machine.start();
  await ran('{"n": 2}');
  expect(await machine.run(`cat ${state}/ledger`)).toBe("kept\n");
  expect(await machine.run(`blkid --probe --match-tag UUID --output value ${disk}`)).toBe(formatted);
});
