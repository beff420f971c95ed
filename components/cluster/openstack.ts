import * as pulumi from "@pulumi/pulumi";
import { Volume } from "@pulumi/openstack/blockstorage/volume.js";
import { ApplicationCredential } from "@pulumi/openstack/identity/applicationCredential.js";
import { FloatingIp } from "@pulumi/openstack/networking/floatingIp.js";
import { Port } from "@pulumi/openstack/networking/port.js";
import { Container } from "@pulumi/openstack/objectstorage/container.js";
import { keystone } from "../keystone.ts";
import { tagList, tagMap } from "../tags.ts";
import { cloudInit } from "./cloud-init.ts";
import type { ClusterTarget } from "./index.ts";
import { heatStack, server } from "./openstack-machine.ts";

export const openstack: ClusterTarget = {
  unsupported: {},
  provision(name, { tags, network, machine, image, madeBy, stateGB, stateDiskType, publicAddress, deletable }, opts) {
    const metadata = tagMap(tags);
    const { place } = network;
    if (publicAddress && place.external === undefined)
      throw new pulumi.RunError(
        `${name}: a public address needs the network's \`external\`; name it or drop publicAddress.`,
      );

    if (place.external === undefined)
      void pulumi.log.warn(
        `${name}: the network leads nowhere, so the machine can neither install Docker nor fetch its workloads; name the provider's external network with: pulumi config set --path 'cais:platform.network.external.id' <id>, and external.name.`,
        opts.parent,
      );

    const workloads = new Container(
      `${name}-workloads`,
      { metadata: { ...metadata, role: "workloads" }, forceDestroy: true },
      opts,
    );
    const identity = new ApplicationCredential(
      `${name}-identity`,
      {
        description: "What the machine may read: its workloads and the secrets they name",
        unrestricted: false,
        // A secret has a random id, so the second right cannot be narrower: docs/openstack.md says what follows from it.
        accessRules: [
          { service: "object-store", method: "GET", path: pulumi.interpolate`/v1/AUTH_*/${workloads.name}` },
          { service: "object-store", method: "GET", path: pulumi.interpolate`/v1/AUTH_*/${workloads.name}/*` },
          { service: "key-manager", method: "GET", path: "/v1/secrets/*/payload" },
        ],
      },
      opts,
    );
    const state = new Volume(
      `${name}-state`,
      {
        description: "State of the workloads; outlives the machine",
        size: stateGB,
        enableOnlineResize: true,
        ...(stateDiskType ? { volumeType: stateDiskType } : {}),
        metadata,
      },
      { ...opts, protect: !deletable },
    );
    const port = new Port(
      `${name}-port`,
      {
        networkId: place.networkId,
        fixedIps: [{ subnetId: place.subnetId }],
        securityGroupIds: [place.securityGroupId],
        portSecurityEnabled: true,
        tags: tagList(tags),
      },
      opts,
    );
    const machineOf = madeBy === "heat" ? heatStack : server;
    const instance = machineOf(
      name,
      {
        flavor: machine,
        image,
        port: port.id,
        stateVolume: state.id,
        userData: cloudInit({
          ...keystone(),
          container: workloads.name,
          id: identity.id,
          secret: identity.secret,
          stateVolume: state.id,
        }),
        metadata,
      },
      // Port and volume belong to one server at a time. Without a way out the first boot could not install anything.
      { ...opts, deleteBeforeReplace: true, dependsOn: place.ready },
    );
    const nodes: Record<string, pulumi.Resource> = { workloads, identity, state, port, instance };
    const privateAddress = port.allFixedIps.apply((addresses) => addresses[0] ?? "");
    let address = privateAddress;
    if (publicAddress && place.external !== undefined) {
      const publicIp = new FloatingIp(
        `${name}-address`,
        { pool: place.external, portId: port.id, tags: tagList(tags) },
        { ...opts, dependsOn: place.ready },
      );
      nodes["publicIp"] = publicIp;
      address = publicIp.address;
    }
    return { host: { kind: "vm", workloads: workloads.name, address, privateAddress }, nodes };
  },
};
