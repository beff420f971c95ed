import * as pulumi from "@pulumi/pulumi";
import { Volume } from "@pulumi/openstack/blockstorage/volume.js";
import { Keypair } from "@pulumi/openstack/compute/keypair.js";
import { getImage, getImageOutput } from "@pulumi/openstack/images/getImage.js";
import { Network } from "@pulumi/openstack/networking/network.js";
import { Subnet } from "@pulumi/openstack/networking/subnet.js";
import { Container } from "@pulumi/openstack/objectstorage/container.js";
import { Provider } from "@pulumi/openstack/provider.js";
import { Group, Note, Store } from "./components.ts";

const config = new pulumi.Config();
const authUrl = new pulumi.Config("openstack").require("authUrl");

// Transforms of the stack and of what asks the provider, of both kinds that the SDK has.
pulumi.runtime.registerResourceTransform(({ type, props, opts }) => {
  if (type !== "openstack:objectstorage/container:Container") return undefined;
  return {
    props: { ...props, region: "by-the-stack" },
    opts: pulumi.mergeOptions(opts, { ignoreChanges: ["metadata"] }),
  };
});
pulumi.runtime.registerStackTransformation(({ type, props, opts }) =>
  type === "openstack:networking/subnet:Subnet"
    ? { props: { ...props, tags: ["by-a-transformation"] }, opts }
    : undefined,
);
pulumi.runtime.registerInvokeTransform(({ token, args, opts }) =>
  token === "openstack:images/getImage:getImage" ? { args: { ...args, mostRecent: true }, opts } : undefined,
);
const hook = new pulumi.ResourceHook("loud", () => pulumi.log.warn("the hook ran"));

// Providers: the default one, one of the program's, one that holds a secret.
const password = pulumi.secret("correct-horse-battery");
const north = new Provider("north", {
  authUrl,
  region: "north",
  userName: "recorder",
  tenantName: "recorded",
  domainName: "Default",
  password,
});
const south = new Provider(
  "south",
  { authUrl, region: "south", userName: "recorder", tenantName: "recorded", domainName: "Default", password: "open" },
  { dependsOn: [north], protect: true },
);

const network = new Network("network", { adminStateUp: true }, { protect: true, hooks: { beforeCreate: [hook] } });
const subnet = new Subnet(
  "subnet",
  { networkId: network.id, cidr: "10.0.0.0/24", noGateway: true },
  { parent: network },
);

// A component whose children inherit providers, protection, aliases, transforms, and one that is left out of all.
const store = new Store(
  "store",
  { owner: config.require("owner"), network: network.id },
  {
    providers: { openstack: north },
    protect: true,
    aliases: [{ name: "old-store" }, { type: "recorded:storage:Bucket" }],
    transforms: [
      ({ type, props, opts }) =>
        type === "openstack:objectstorage/container:Container"
          ? {
              props: { ...props, contentType: "text/csv" },
              opts: pulumi.mergeOptions(opts, { aliases: [{ name: "by-transform" }] }),
            }
          : undefined,
      // What a transform takes away, or adds, changes what a resource depends on.
      ({ type, props: { contentDisposition: _taken, ...props }, opts }) =>
        type === "openstack:objectstorage/containerObject:ContainerObject"
          ? { props: { ...props, contentEncoding: subnet.name }, opts }
          : undefined,
    ],
  },
);
const outer = new Group("outer", {
  aliases: [{ name: "former", parent: pulumi.rootStackResource }],
  retainOnDelete: true,
});
const inner = new Group("inner", { parent: outer, provider: south, dependsOn: [store] });
const leaf = new Container(
  "leaf",
  {},
  {
    parent: inner,
    retainOnDelete: false,
    aliases: ["urn:pulumi:recorded::recorded::openstack:objectstorage/container:Container::elsewhere"],
  },
);
const child = new Container(
  "child",
  {
    metadata: {
      parent: leaf.name,
      limit: pulumi.interpolate`${config.requireObject<{ maxBytes: number }>("limits").maxBytes}`,
    },
  },
  {
    parent: leaf,
    deletedWith: outer,
    replaceOnChanges: ["region"],
    deleteBeforeReplace: true,
    aliases: [{ parent: store }, { name: "orphan", parent: pulumi.rootStackResource }],
  },
);

// Options, secrets at any depth, unknowns, dependencies on resources, components, outputs and lists.
const volume = new Volume(
  "volume",
  { size: config.requireNumber("replicas"), metadata: { network: network.id, plain: "a" }, description: subnet.id },
  {
    dependsOn: [subnet, store],
    provider: north,
    retainOnDelete: true,
    additionalSecretOutputs: ["attachments"],
    transforms: [
      ({ props: { description: _taken, ...props }, opts }) => ({
        props: { ...props, availabilityZone: network.name },
        opts: pulumi.mergeOptions(opts, { dependsOn: [leaf] }),
      }),
    ],
  },
);
const keypair = new Keypair(
  "keypair",
  {
    publicKey: pulumi.jsonStringify({ nested: [{ password }] }),
    valueSpecs: {
      given: password,
      mixed: pulumi.all([password, volume.id]).apply(([secret, id]) => `${secret}/${id}`),
      open: "b",
    },
  },
  {
    dependsOn: volume.id.apply(() => [volume]),
    ignoreChanges: ['valueSpecs["open"]'],
    customTimeouts: { create: "5m" },
    transforms: [({ props, opts }) => ({ props: { ...props, userId: network.id }, opts })],
  },
);
const note = new Note(
  "note",
  {
    text: "words",
    about: inner,
    of: leaf,
    list: [null, 1.5, { deep: password }],
    asset: new pulumi.asset.StringAsset("a"),
  },
  { parent: outer },
);

// What exists already: read, and imported.
const read = Network.get("public", "11111111-1111-4111-8111-111111111111", {}, { provider: south });
const imported = new Network(
  "imported",
  { name: "imported", adminStateUp: true, shared: false, external: false },
  { import: "22222222-2222-4222-8222-222222222222" },
);

// Data sources: answered, plain and as an output; with an unknown argument; after what is not there yet.
const image = await getImage({ name: "debian" }, { provider: south });
const fromImage = new Volume("from-image", {
  size: image.minDiskGb,
  imageId: image.id,
  description: getImageOutput({ name: "debian" }).checksum,
});
const fromUnknown = new Volume("from-unknown", { size: 1, imageId: getImageOutput({ name: network.name }).id });
const pending = pulumi.runtime.invokeOutput<{ id: string }>(
  "openstack:images/getImage:getImage",
  { name: "debian" },
  { dependsOn: [subnet] },
);
const fromPending = new Volume("from-pending", { size: 1, imageId: pending.apply(({ id }) => id) });

// A reference to a resource that is registered, by its URN.
export const again = network.urn.apply((urn) => new Network("network", {}, { urn }).urn);
export const text = { plain: "a", number: 1.5, list: [true, null, { deep: "b" }] };
export const location = store.location;
export const closed = password;
export const readName = read.name;
export const importedName = imported.name;
export const noteText = note.text;
export const names = [child, keypair, fromImage, fromUnknown, fromPending].map(({ name }) => name);
