import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { type Plan, plan, References } from "../planner/index.ts";
import { readSettings } from "./settings.ts";

const project = fileURLToPath(new URL("..", import.meta.url));
const policyPack = path.join(project, "policies");
const references = new References();
const cluster = {
  kind: "kubernetes",
  machine: "m1.large",
  image: "00000000-0000-4000-8000-000000000002",
  version: "v1.99.0",
  nodeDiskType: "luks",
  stateGB: 30,
  stateDiskType: "luks",
};
const registry = { username: "robot" };
const own = { platform: { "api-token": { secure: "v1:abc" }, registry: { secure: "v1:def" } } };
let root = "";

/** Plans the example of an OpenStack environment, or of its isolated stack, on pods. */
async function planOn(stack: string, change: object, platform: object = {}): Promise<Plan> {
  const example = path.join(project, `Pulumi.${stack.replace("test", "prod-openstack")}.yaml`);
  const { config } = parse(await readFile(example, "utf8"));
  const { "cais:platform": given, "cais:secrets": secrets, ...rest } = config;
  await writeFile(
    path.join(root, `Pulumi.${stack}.yaml`),
    stringify({
      config: {
        ...rest,
        "cais:platform": { ...(given && { ...given, cluster, ...platform }), registry },
        "cais:secrets": { ...secrets, ...own },
        ...change,
      },
    }),
  );
  return plan({ root, stack, policyPack, references });
}

const made = ({ resources }: Plan) =>
  Object.fromEntries(resources.map((resource) => [`${resource.type.split(":").at(-1)} ${resource.name}`, resource]));

beforeAll(async () => {
  await mkdir(path.join(project, ".cais/tests"), { recursive: true });
  root = await mkdtemp(path.join(project, ".cais/tests/pods-"));
  const file = await readFile(path.join(project, "Pulumi.yaml"), "utf8");
  await writeFile(path.join(root, "Pulumi.yaml"), file.replace("main: ", "main: ../../../"));
});
afterAll(() => rm(root, { recursive: true }));

it("puts the shared processor and an isolated one on pods, each with its own disk and namespace", async () => {
  const isolated = { ivi: { port: 8081, allowFrom: ["10.0.0.0/8"] } };
  const shared = await planOn("test", {}, { isolated });
  expect([shared.violations, shared.messages.map(({ text }) => text)]).toEqual([
    [],
    ["ivi asks for this environment and is isolated, and no Pulumi.test.ivi.yaml deploys it."],
  ]);
  const all = made(shared);
  expect(all["PersistentVolumeClaim processor-state"]).toMatchObject({
    protect: true,
    provider: expect.stringContaining("pulumi:providers:kubernetes::processor-cluster"),
    inputs: { spec: { resources: { requests: { storage: "30Gi" } } } },
  });
  expect(all["Cluster platform"]).toMatchObject({ protect: true });
  // Two processors must never write one lake.
  expect(all["StatefulSet processor"]).toMatchObject({ deleteBeforeReplace: true });
  expect(all["kubernetes processor-cluster"]?.secretInputs).toEqual(["kubeconfig"]);
  for (const name of ["secrets", "registry"])
    expect(all[`Secret processor-${name}`]?.secretInputs).toEqual(["stringData"]);
  // No unit, no machine, and no rule that opens one.
  expect(shared.resources.filter(({ type }) => /ContainerObject|Instance|Volume$/.test(type))).toEqual([]);
  expect(shared.resources.filter(({ name }) => name.includes("ingress"))).toEqual([]);
  expect(shared.outputs).toMatchObject({
    kubeconfig: "[secret]",
    platform: { pods: { nodeRange: "10.20.0.0/24", state: { gb: 30, parameters: { type: "luks" } } } },
    processor: { api: { host: "0.0.0.0", token: { path: "/run/cais/secrets/api-token" } } },
  });
  expect(shared.outputs).not.toHaveProperty("workloads");

  const apart = await planOn("test.ivi", { "cais:allowDataDeletion": true, "cais:deletable": ["ivi"] });
  expect([apart.violations, apart.messages]).toEqual([[], []]);
  const alone = made(apart);
  expect(alone["PersistentVolumeClaim ivi-processor-state"]).toMatchObject({ protect: false });
  expect(alone["Service ivi-processor-api"]?.inputs["spec"]).toMatchObject({
    type: "LoadBalancer",
    loadBalancerSourceRanges: ["10.0.0.0/8"],
    ports: [{ port: 8081 }],
  });
  expect(alone["kubernetes ivi-processor-cluster"]?.secretInputs).toEqual(["kubeconfig"]);
});

it("lets isolated stacks have one port, since each pod has its own address", () => {
  const tides = { port: 8080, allowFrom: ["10.0.0.0/8"] };
  const given = {
    "cais:environment": "prod",
    "cais:owner": "data-platform",
    "cais:platform": JSON.stringify({ cluster, isolated: { hydro: tides, tides } }),
  };
  const stacks = ["hydro", "tides"].map((name) => ({ name, isolated: true }));
  const { platform } = readSettings(given, { pulumiStack: "prod", target: "openstack", stacks });
  expect(platform.isolated).toEqual({ hydro: tides, tides });
});

const set = (key: string) => `Set it with: pulumi config set --path 'cais:platform.cluster.${key}' <value>`;
it.each([
  [
    "a kind that is none",
    { kind: "k8s" },
    `cais:platform.cluster.kind is "k8s"; must be vm or kubernetes. ${set("kind")}`,
  ],
  [
    "no version",
    { version: undefined },
    `cais:platform.cluster.version is missing; expected string. ${set("version")}`,
  ],
  [
    "a key of the other kind",
    { madeBy: "heat" },
    "cais:platform.cluster.madeBy is not known: there is kind, machine, image, stateGB, stateDiskType, version, nodes, nodeGB, nodeDiskType, publicKey. Remove it with: pulumi config rm --path 'cais:platform.cluster.madeBy'",
  ],
])("is refused with %s", (_, change, message) => {
  const given = {
    "cais:environment": "prod",
    "cais:owner": "data-platform",
    "cais:platform": JSON.stringify({ cluster: { ...cluster, ...change } }),
  };
  expect(() => readSettings(given, { pulumiStack: "prod", target: "openstack", stacks: [] })).toThrow(message);
});
