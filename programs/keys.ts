import { LineageBinding } from "@cais/spec/bindings.ts";
import { type Environment, environments, platformName, SecretName, TagValue } from "@cais/spec/names.ts";
import { z } from "zod";
import { clusterKinds } from "../components/cluster/chosen.ts";
import { clusterTargets, machineMakers } from "../components/cluster/index.ts";
import { eventsKinds } from "../components/events/index.ts";
import { type BuiltTarget, provides } from "../components/target.ts";
import { PolicySettings } from "../policies/settings.ts";

const Cidr = z.union([z.cidrv4(), z.cidrv6()], "must be a range such as 10.0.0.0/8");

const Network = z.strictObject({
  cidr: z.cidrv4().optional(),
  dnsServers: z.array(z.ipv4()).optional(),
  external: z.strictObject({ id: z.string().min(1), name: z.string().min(1) }).optional(),
});

/** What each kind of cluster has. */
const everyCluster = {
  machine: z.string().min(1),
  image: z.string().min(1),
  stateGB: z.number().int().positive().optional(),
  stateDiskType: z.string().min(1).optional(),
};

const Cluster = z.discriminatedUnion(
  "kind",
  [
    z.strictObject({
      kind: z.literal(clusterKinds.machine),
      ...everyCluster,
      madeBy: z.enum(machineMakers).optional(),
      publicAddress: z.boolean().optional(),
    }),
    z.strictObject({
      kind: z.literal(clusterKinds.pods),
      ...everyCluster,
      version: z.string().min(1),
      nodes: z.number().int().positive().optional(),
      nodeGB: z.number().int().positive().optional(),
      nodeDiskType: z.string().min(1).optional(),
      publicKey: z.string().min(1).optional(),
    }),
  ],
  {
    error: ({ code }) => (code === "invalid_union" ? `must be ${Object.values(clusterKinds).join(" or ")}` : undefined),
  },
);

const Port = z.number().int().min(1024).max(65_535);

const LoadBalancer = z.strictObject({
  certificate: z.url({ protocol: /^https?$/ }),
  port: z.number().int().min(1).max(65_535).optional(),
  publicAddress: z.boolean().optional(),
});

const Api = z.strictObject({
  port: Port.optional(),
  allowFrom: z.array(Cidr).optional(),
  trustedProxies: z.array(Cidr.refine((range) => !range.endsWith("/0"), "must not be everyone's range")).optional(),
  loadBalancer: LoadBalancer.optional(),
});

const Database = z.strictObject({
  version: z.string().min(1),
  machine: z.string().min(1),
  diskGB: z.number().int().positive().optional(),
  diskType: z.string().min(1).optional(),
  tls: z.boolean().optional(),
});

const Limits = z.strictObject({
  memoryBytes: z.number().int().min(512e6),
  cpus: z.number().positive(),
  tempBytes: z.number().int().positive(),
});

/** The port of the API unless the config says another. */
export const apiPort = 8080;

/** The load balancer's port for it, unless the config says another. */
export const balancerPort = 443;

const Isolated = z.strictObject({ port: Port, allowFrom: z.array(Cidr).min(1) });

/** What is the processor's own, whether it serves many stacks or one. */
const processor = {
  limits: Limits.optional(),
  registry: z.strictObject({ username: z.string().regex(/^[^:]+$/, "must hold no colon") }).optional(),
  allowPrivate: z.array(Cidr).optional(),
  lineage: LineageBinding.optional(),
  events: z.enum(eventsKinds).optional(),
};

/** What every Pulumi stack is given under `cais:`, for these pipeline stacks. */
function everyStack(stacks: string[]) {
  return {
    databases: z
      .strictObject(Object.fromEntries(stacks.map((name) => [name, SecretName])))
      .partial()
      .optional(),
    target: z.string().optional().describe("Read by components/target.ts."),
    allowDataDeletion: z.boolean().optional().describe("Read by components/target.ts."),
    environment: z.enum(environments),
    image: z.string().min(1).optional(),
    policies: PolicySettings.optional().describe("Read by the policy pack."),
    secrets: z
      .strictObject(
        Object.fromEntries([platformName, ...stacks].map((part) => [part, z.record(z.string(), z.literal(true))])),
      )
      .partial()
      .optional(),
  };
}

/** What a shared Pulumi stack is given under `cais:`. docs/configuration.md says what each key does. */
export function sharedKeys(stacks: string[]) {
  const parts: [string, ...string[]] = [platformName, ...stacks];
  return z.strictObject({
    ...everyStack(stacks),
    owner: TagValue,
    costCentre: TagValue.optional(),
    deletable: z.array(z.enum(parts)).default([]),
    platform: z
      .strictObject({
        network: Network.optional(),
        cluster: Cluster.optional(),
        api: Api.optional(),
        database: Database.optional(),
        isolated: z
          .strictObject(Object.fromEntries(stacks.map((name) => [name, Isolated])))
          .partial()
          .optional(),
        ...processor,
      })
      .prefault({}),
  });
}
export type Settings = z.output<ReturnType<typeof sharedKeys>>;

/** The isolated stacks whose API others may call: port of the machine, and who. */
export const opened = ({ platform: { isolated = {} } }: Settings): Record<string, z.output<typeof Isolated>> =>
  Object.fromEntries(Object.entries(isolated).flatMap(([name, given]) => (given ? [[name, given]] : [])));

/** What the Pulumi stack of an isolated pipeline stack is given: its platform has the other keys, its stack.yaml the owner. */
export function isolatedKeys(name: string) {
  return z.strictObject({
    ...everyStack([name]),
    deletable: z.array(z.enum([name])).default([]),
    platform: z.strictObject(processor).prefault({}),
  });
}
export type IsolatedSettings = z.output<ReturnType<typeof isolatedKeys>>;

/** Whether a shared stack holds the isolated pipeline stacks, too: `dev` does, and so does what has no platform to share. */
export const holdsAll = (environment: Environment, target: BuiltTarget): boolean =>
  environment === "dev" || !provides(clusterTargets[target]);
