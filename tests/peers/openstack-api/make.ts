import { setTimeout as wait } from "node:timers/promises";
import type { KeystoneSession } from "../openstack/calls.ts";
import { credential } from "../openstack/seed.ts";
import type { Asker } from "../openstack-cloud/ask.ts";

/** A resource as a program asks a provider for it, its secrets in the open. */
export interface Asked {
  /** What it is called in the cloud. */
  name: string;
  inputs: Readonly<Record<string, unknown>>;
}

/** What a service says of what it made: its id, and whatever the program reads besides. */
export type Made = { id: string } & Record<string, unknown>;

/** Who deploys. */
export interface Deployer {
  demo: Asker;
  session: KeystoneSession;
}

/** In ms. A busy machine takes this long for what takes seconds alone. */
const PATIENCE = 300_000;

/** How each kind of resource is made by the API of its service, as OpenStack's provider for Terraform makes it. */
export const make: Readonly<Record<string, (deployer: Deployer, asked: Asked) => Promise<Made>>> = {
  "networking/network:Network": (deployer, asked) => ofNeutron(deployer, "network", asked),
  "networking/subnet:Subnet": (deployer, asked) => ofNeutron(deployer, "subnet", asked),
  async "networking/secGroup:SecGroup"({ demo, session }, { name, inputs: { deleteDefaultRules, ...inputs } }) {
    const group = await ofNeutron({ demo, session }, "security_group", { name, inputs });
    const rules = group["security_group_rules"] as { id: string }[];
    if (deleteDefaultRules === true)
      for (const { id } of rules) await demo.ask("network", "DELETE", `/v2.0/security-group-rules/${id}`);
    return group;
  },
  async "networking/secGroupRule:SecGroupRule"({ demo }, { inputs }) {
    const rule = inSnakeCase(inputs);
    const body = { security_group_rule: rule };
    const made = await demo.ask<{ security_group_rule: Made }>("network", "POST", "/v2.0/security-group-rules", body);
    return made.security_group_rule;
  },
  "networking/router:Router": (deployer, { name, inputs: { externalNetworkId: network_id, ...inputs } }) =>
    ofNeutron(deployer, "router", { name, inputs: { ...inputs, external_gateway_info: { network_id } } }),
  async "networking/routerInterface:RouterInterface"({ demo }, { inputs: { routerId, subnetId: subnet_id } }) {
    const path = `/v2.0/routers/${String(routerId)}/add_router_interface`;
    const { port_id: id } = await demo.ask<{ port_id: string }>("network", "PUT", path, { subnet_id });
    return { id };
  },
  async "networking/port:Port"(deployer, { name, inputs: { securityGroupIds: security_groups, fixedIps, ...inputs } }) {
    const fixed_ips = (fixedIps as Record<string, unknown>[]).map(inSnakeCase);
    const port = await ofNeutron(deployer, "port", { name, inputs: { ...inputs, security_groups, fixed_ips } });
    const addresses = port["fixed_ips"] as { ip_address: string }[];
    return { ...port, allFixedIps: addresses.map(({ ip_address }) => ip_address) };
  },
  async "objectstorage/container:Container"({ demo }, { name, inputs: { metadata = {}, versioning } }) {
    const headers = Object.entries(metadata as object).map(([key, value]) => [`X-Container-Meta-${key}`, value]);
    await demo.ask("object-store", "PUT", `/${name}`, undefined, {
      ...Object.fromEntries(headers),
      ...(versioning === true && { "X-Versions-Enabled": "true" }),
    });
    return { id: name, name };
  },
  async "objectstorage/containerObject:ContainerObject"({ demo }, { inputs: { containerName, name, content } }) {
    const path = `/${String(containerName)}/${String(name)}`;
    await demo.ask("object-store", "PUT", path, String(content));
    return { id: path };
  },
  async "identity/applicationCredential:ApplicationCredential"({ session }, { name, inputs }) {
    const ask = async () => ({ ...(await credential(session, name, inSnakeCase(inputs))) });
    try {
      return await ask();
    } catch (error) {
      // Seen once, while services asked it at the same time: Keystone 22 took the roles of somebody else for the caller's.
      if (!String(error).includes("Could not find role assignment")) throw error;
      return ask();
    }
  },
  async "keymanager/secretV1:SecretV1"({ demo }, { name, inputs }) {
    const body = { name, ...inSnakeCase(inputs) };
    const { secret_ref: secretRef } = await demo.ask<{ secret_ref: string }>(
      "key-manager",
      "POST",
      "/v1/secrets",
      body,
    );
    return { id: secretRef.slice(secretRef.lastIndexOf("/") + 1), secretRef };
  },
  async "blockstorage/volume:Volume"(
    { demo },
    { name, inputs: { size, description, volumeType: volume_type, metadata } },
  ) {
    const body = { volume: { name, size, description, volume_type, metadata } };
    const { volume } = await demo.ask<{ volume: Made }>("volumev3", "POST", "/volumes", body);
    await until(demo, "volumev3", `/volumes/${volume.id}`, ["volume", "status"], "available");
    return volume;
  },
  async "compute/instance:Instance"({ demo }, { name, inputs }) {
    const { flavorName, imageId, networks, blockDevices, userData, metadata } = inputs;
    const { flavors } = await demo.ask<{ flavors: { id: string; name: string }[] }>("compute", "GET", "/flavors");
    const disks = (blockDevices as Record<string, unknown>[]).map(inSnakeCase);
    const server = {
      name,
      flavorRef: flavors.find((flavor) => flavor.name === flavorName)?.id,
      imageRef: imageId,
      networks,
      block_device_mapping_v2: disks,
      user_data: Buffer.from(String(userData)).toString("base64"),
      metadata,
    };
    const made = await demo.ask<{ server: Made }>("compute", "POST", "/servers", { server });
    await until(demo, "compute", `/servers/${made.server.id}`, ["server", "status"], "ACTIVE");
    return made.server;
  },
  async "orchestration/stackV1:StackV1"({ demo }, { name, inputs }) {
    const { templateOpts, environmentOpts, disableRollback, tags } = inputs as {
      templateOpts: { Bin: string };
      environmentOpts: { Bin: string };
      disableRollback: boolean;
      tags: string[];
    };
    const files = { template: templateOpts.Bin, environment: environmentOpts.Bin };
    await demo.ask("orchestration", "POST", "/validate", files);
    const body = { stack_name: name, ...files, disable_rollback: disableRollback, tags: tags.join(",") };
    const { stack } = await demo.ask<{ stack: Made }>("orchestration", "POST", "/stacks", body);
    await until(demo, "orchestration", `/stacks/${name}/${stack.id}`, ["stack", "stack_status"], "CREATE_COMPLETE");
    return stack;
  },
  async "compute/keypair:Keypair"({ demo }, { name, inputs: { publicKey: public_key } }) {
    await demo.ask("compute", "POST", "/os-keypairs", { keypair: { name, public_key } });
    return { id: name, name };
  },
  async "containerinfra/clusterTemplate:ClusterTemplate"({ demo }, { name, inputs }) {
    const { image: image_id, flavor: flavor_id, masterFlavor: master_flavor_id, ...rest } = inputs;
    const body = { name, image_id, flavor_id, master_flavor_id, ...inSnakeCase(rest) };
    const { uuid: id } = await demo.ask<{ uuid: string }>("container-infra", "POST", "/clustertemplates", body);
    return { id };
  },
  // What becomes of it is for the tests to see: no machine boots here, so none is ever built.
  async "containerinfra/cluster:Cluster"({ demo }, { name, inputs }) {
    const body = { name, ...inSnakeCase(inputs) };
    const { uuid: id } = await demo.ask<{ uuid: string }>("container-infra", "POST", "/clusters", body);
    return { id, apiAddress: "https://10.20.0.10:6443", kubeconfig: { raw_config: "of a cluster that is not there" } };
  },
};

/** Waits until what a service answers has this state at these keys. Throws when it fails. */
export async function until(
  demo: Asker,
  service: string,
  path: string,
  keys: readonly string[],
  wanted: string,
): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const told: unknown = await demo.ask(service, "GET", path);
    const state = keys.reduce((thing, key) => (thing as Record<string, unknown>)[key], told);
    if (state === wanted) return;
    if (/error|failed/i.test(String(state)) || Date.now() > deadline)
      throw new Error(`${service} says ${String(state)} of ${path}: ${JSON.stringify(told)}`);
    await wait(500);
  }
}

/** A thing of Neutron's, with its tags. */
async function ofNeutron(
  { demo }: Deployer,
  kind: string,
  { name, inputs: { tags, ...inputs } }: Asked,
): Promise<Made> {
  const path = `/v2.0/${kind.replace("_", "-")}s`;
  const { [kind]: made } = await demo.ask<Record<string, Made>>("network", "POST", path, {
    [kind]: { name, ...inSnakeCase(inputs) },
  });
  if (made === undefined) throw new Error(`Neutron told nothing of the ${kind} ${name}.`);
  await demo.ask("network", "PUT", `${path}/${made.id}/tags`, { tags });
  return made;
}

/** The keys as OpenStack writes them; what they hold stays as it is. */
const inSnakeCase = (inputs: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(inputs).map(([key, value]) => [key.replaceAll(/[A-Z]/g, (big) => `_${big.toLowerCase()}`), value]),
  );
