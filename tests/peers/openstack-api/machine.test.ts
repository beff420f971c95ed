import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { beforeAll, expect, it } from "vitest";
import { asker } from "../openstack-cloud/ask.ts";
import { firstSync } from "../openstack-cloud/first-sync.ts";
import { deploy, openPlace, type Place, type Resource } from "./program.ts";

let place: Place;
let resources: Resource[];
const idOf = (kind: string) => resources.find((one) => one.kind.endsWith(`:${kind}`))?.made.id ?? `no ${kind}`;
const userData = () => String(resources.find(({ kind }) => kind.endsWith(":Instance"))?.inputs["userData"]);

beforeAll(async () => {
  place = await openPlace();
  const cluster = { kind: "vm", machine: "m1.large", image: place.project.image, stateGB: 1, stateDiskType: "luks" };
  resources = await deploy(place, cluster);
}, 900_000);

it("makes the machine, which is active, on its own port and with its own disk", async () => {
  const { demo } = place;
  const { server } = await demo.ask<{ server: object }>("compute", "GET", `/servers/${idOf("Instance")}`);
  expect(server).toMatchObject({
    status: "ACTIVE",
    metadata: { owner: "data-platform", stack: "platform", environment: "prod" },
    image: { id: place.project.image },
    key_name: null,
  });
  const { volume } = await demo.ask<{ volume: object }>("volumev3", "GET", `/volumes/${idOf("Volume")}`);
  expect(volume).toMatchObject({
    status: "in-use",
    size: 1,
    volume_type: "luks",
    attachments: [{ server_id: idOf("Instance") }],
  });
  const { port } = await demo.ask<{ port: object }>("network", "GET", `/v2.0/ports/${idOf("Port")}`);
  expect(port).toMatchObject({
    device_id: idOf("Instance"),
    port_security_enabled: true,
    security_groups: [idOf("SecGroup")],
    fixed_ips: [{ subnet_id: idOf("Subnet") }],
  });
});

it("lets the machine out, and nobody in", async () => {
  const path = `/v2.0/security-group-rules?security_group_id=${idOf("SecGroup")}`;
  const { security_group_rules: rules } = await place.demo.ask<{
    security_group_rules: { direction: string; ethertype: string; remote_ip_prefix: string | null }[];
  }>("network", "GET", path);
  expect(rules.map(({ direction, ethertype }) => `${direction} ${ethertype}`).toSorted()).toEqual([
    "egress IPv4",
    "egress IPv6",
  ]);
});

it("tells the machine what the program says, word for word", async () => {
  const admin = await asker(place.cloud, "admin");
  // Only the administrator of the cloud may see it, and since this version: https://docs.openstack.org/nova/latest/reference/api-microversion-history.html
  const since = { "OpenStack-API-Version": "compute 2.3" };
  const at = `/servers/${idOf("Instance")}`;
  const { server } = await admin.ask<{ server: Record<string, unknown> }>("compute", "GET", at, undefined, since);
  const told = String(server["OS-EXT-SRV-ATTR:user_data"]);
  expect(Buffer.from(told, "base64").toString()).toBe(userData());
});

it("has a machine that finds its workload and its secrets with what it is told", async () => {
  await mkdir(".cais/tests", { recursive: true });
  const machine = await mkdtemp(path.resolve(".cais/tests/machine-"));
  try {
    expect(await firstSync(machine, userData())).toMatch(/^processor: applied/m);
    expect(await readdir(path.join(machine, "run/cais/secrets/processor"))).toEqual(["store-credential.json"]);
  } finally {
    await rm(machine, { recursive: true });
  }
});
