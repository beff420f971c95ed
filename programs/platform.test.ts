import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { z } from "zod";
import { config, type Created, record, resolved } from "../components/conformance.ts";
import { platform, sharedProcessor, trustedProxiesOf } from "./platform.ts";
import { readSettings } from "./settings.ts";

const Ingress = z.looseObject({
  direction: z.literal("ingress"),
  portRangeMin: z.number(),
  remoteIpPrefix: z.string(),
});
const stacks = [{ name: "hydro", isolated: true }];
const cluster = { kind: "vm", machine: "m1.large", image: "id" };
const pods = { ...cluster, kind: "kubernetes", version: "v1.99.0" };
const external = { id: "external-id", name: "public" };

const given = (target: "local" | "openstack", more: object) => ({
  ...config,
  "cais:target": target,
  "cais:environment": "prod",
  "cais:owner": "data-platform",
  "cais:platform": JSON.stringify(more),
});

/** An environment without a pipeline stack of its own, `isolated` of which there are somewhere else. */
function shared(target: "local" | "openstack", isolated: number, more: object = { cluster }) {
  const settings = given(target, more);
  const read = readSettings(settings, { pulumiStack: "prod", target, stacks });
  return record(async () => {
    const hasProcessor = isolated === 0;
    const { runner, balancer } = await platform(read, hasProcessor);
    const processor = hasProcessor ? sharedProcessor(read, [], () => pulumi.output(""), runner) : undefined;
    return { processor, balancer };
  }, settings);
}

it("has no processor where every pipeline stack is isolated, but what they run on", async () => {
  const { result, created } = await shared("openstack", 1);
  expect(result.processor).toBeUndefined();
  expect(created.map(({ name }) => name)).toContain("platform-workloads");
});

it("is refused where no pipeline stack asks for it", async () => {
  await expect(shared("openstack", 0)).rejects.toThrow(
    "processor: no stack asks for the environment prod, so there is nothing to serve; add it to `environments` in a stacks/<name>/stack.yaml.",
  );
});

it("is refused a cluster on a target that has none", async () => {
  await expect(shared("local", 0)).rejects.toThrow(
    "cais:platform.cluster has no effect on local: the processor is a process on this machine; remove it with: pulumi config rm --path 'cais:platform.cluster'",
  );
});

const certificate = "https://barbican.test/v1/secrets/certificate";
const hydro = { port: 8081, allowFrom: ["192.0.2.0/24"] };

it("lets callers in at the machine itself where no balancer is asked for", async () => {
  const { created } = await shared("openstack", 1, { cluster, isolated: { hydro } });
  expect(opened(created)).toEqual([[8081, "192.0.2.0/24"]]);
  expect(created.filter(({ type }) => type.includes("loadbalancer"))).toEqual([]);
});

it("puts a balancer before the APIs, and lets no one else in at the machine", async () => {
  const { created, result } = await shared("openstack", 1, {
    cluster,
    network: { cidr: "10.9.0.0/24" },
    api: { loadBalancer: { certificate } },
    isolated: { hydro },
  });
  expect(opened(created)).toEqual([[8081, "10.9.0.0/24"]]);
  const listeners = created.filter(({ type }) => type === "openstack:loadbalancer/listener:Listener");
  expect(listeners).toEqual([
    expect.objectContaining({
      name: "api-hydro-tls",
      inputs: expect.objectContaining({
        protocolPort: 8081,
        allowedCidrs: ["192.0.2.0/24"],
        defaultTlsContainerRef: certificate,
      }),
    }),
  ]);
  expect(await resolved(result.balancer?.address)).toBe("10.20.0.8");
});

const trusted = (more: object) =>
  trustedProxiesOf(readSettings(given("openstack", more), { pulumiStack: "prod", target: "openstack", stacks }));

it("believes the balancer in saying who calls, and who is named, but nobody else", () => {
  const network = { cidr: "10.9.0.0/24" };
  expect(trusted({ cluster, network, api: { allowFrom: ["10.0.0.0/8"] } })).toBeUndefined();
  expect(trusted({ cluster, api: { loadBalancer: { certificate } } })).toEqual(["10.20.0.0/24"]);
  const api = { loadBalancer: { certificate }, trustedProxies: ["10.30.0.7/32"] };
  expect(trusted({ cluster, network, api })).toEqual(["10.9.0.0/24", "10.30.0.7/32"]);
});

it("is refused a balancer that nobody may call, or where there is no cluster", async () => {
  const api = { loadBalancer: { certificate } };
  await expect(shared("openstack", 1, { cluster, api })).rejects.toThrow(
    "cais:platform.api.loadBalancer stands before an API that nobody may call; name who may with: pulumi config set --path 'cais:platform.api.allowFrom[0]' <range>",
  );
  const allowed = { ...api, allowFrom: ["10.0.0.0/8"] };
  await expect(shared("openstack", 0, { cluster: pods, network: { external }, api: allowed })).rejects.toThrow(
    "cais:platform.api.loadBalancer stands before a machine, and cais:platform.cluster.kind is kubernetes, which makes a balancer of its own; remove it with: pulumi config rm --path 'cais:platform.api.loadBalancer'",
  );
  await expect(shared("local", 1, { api })).rejects.toThrow(
    "cais:platform.api.loadBalancer has no effect on local: the processor is a process on this machine; remove it with: pulumi config rm --path 'cais:platform.api.loadBalancer'",
  );
});

const opened = (created: Created[]) =>
  created.flatMap(({ inputs }) => {
    const { data } = Ingress.safeParse(inputs);
    return data ? [[data.portRangeMin, data.remoteIpPrefix]] : [];
  });
