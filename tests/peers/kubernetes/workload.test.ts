import { ProcessorConfig } from "@cais/spec/bindings.ts";
import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { KubernetesHost } from "../../../components/cluster/host.ts";
import { authority, record } from "../../../components/conformance.ts";
import { runnerOn } from "../../../components/processor/kubernetes.ts";
import type { Workload } from "../../../components/processor/runner.ts";
import { type Answer, apiOf, type Call } from "./api.ts";
import { readApi } from "./peer.ts";

const host: KubernetesHost = {
  kind: "kubernetes",
  kubeconfig: pulumi.output(""),
  nodeRange: "10.20.0.0/24",
  privateBalancer: { "service.beta.kubernetes.io/openstack-internal-load-balancer": "true" },
  state: { gb: 50, provisioner: "cinder.csi.openstack.org", parameters: { type: "luks" }, allowDataDeletion: false },
};
const secret = (file: string) => ({ file, value: pulumi.secret("a value"), reference: pulumi.output("") });
const workload = (name: string, change: Partial<Workload> = {}): Workload => ({
  name,
  tags: { owner: "data platform (São Paulo)", stack: "platform", environment: "prod", costCentre: "cc-1" },
  image: `registry.example.org/cais/processor@sha256:${"0".repeat(64)}`,
  memoryBytes: 2e9,
  cpus: 1.5,
  port: 8080,
  allowFrom: [],
  config: pulumi.output(ProcessorConfig.parse({ environment: "prod", target: "openstack", api: {}, stacks: {} })),
  secrets: [secret("store-credential.json"), secret("inmet_hook-key")],
  ...change,
});

const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ namespace: z.string().optional() }),
});
type Manifest = z.output<typeof Manifest>;

/** What Pulumi's provider would send: what it is asked for, under the name of each resource. */
async function manifestsOf(asked: Workload): Promise<Manifest[]> {
  const { created } = await record(() => runnerOn(host).run(asked, {}));
  return created.flatMap(({ type, name, inputs }) => {
    if (type.startsWith("pulumi:")) return [];
    const manifest = Manifest.parse(plain(inputs));
    return [{ ...manifest, metadata: { ...manifest.metadata, name } }];
  });
}

/** Without the marks of secrets, and with names in the place of ids. */
function plain(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/^id of /, "");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]?.[0] === "secret" && typeof entries[0][1] === "object")
    return plain(entries[0][1]);
  return Object.fromEntries(entries.map(([key, inner]) => [key, plain(inner)]));
}

const plurals: Readonly<Record<string, string>> = { NetworkPolicy: "networkpolicies", StorageClass: "storageclasses" };

function pathOf({ apiVersion, kind, metadata: { namespace } }: Manifest): string {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${group}${namespace ? `/namespaces/${namespace}` : ""}/${plurals[kind] ?? `${kind.toLowerCase()}s`}`;
}

/** A namespace comes before what is in it. */
const turn = ({ kind }: Manifest) => (kind === "Namespace" ? 0 : 1);

const refused = (answers: Record<string, Answer>) =>
  Object.entries(answers).filter(([, { status, warnings }]) => status !== 201 || warnings.length > 0);

describe("a workload", () => {
  let call: Call;
  /** Makes a workload. A field that the API does not know is a mistake, and not left out. */
  async function make(asked: Workload): Promise<Record<string, Answer>> {
    const answers: Record<string, Answer> = {};
    for (const manifest of (await manifestsOf(asked)).toSorted((a, b) => turn(a) - turn(b)))
      answers[manifest.kind] = await call("POST", `${pathOf(manifest)}?fieldValidation=Strict`, manifest);
    return answers;
  }
  beforeAll(async () => {
    call = apiOf(await readApi());
  });

  it("is taken as it is asked for, with no warning", async () => {
    const answers = await make(workload("processor"));
    expect(refused(answers)).toEqual([]);
    expect(Object.keys(answers)).toHaveLength(10);
  });

  it("is taken with callers, a login and private authorities, too", async () => {
    const more = {
      allowFrom: ["10.0.0.0/8", "192.0.2.0/24"],
      login: { username: "robot", password: secret("registry") },
      authorities: [authority],
    };
    expect(refused(await make(workload("ivi-processor", more)))).toEqual([]);
  });

  it("becomes a pod that the API lets be, closed as it was asked for and without a token", async () => {
    const path = "/api/v1/namespaces/processor/pods/processor-0";
    await expect.poll(async () => (await call("GET", path)).status, { timeout: 120_000 }).toBe(200);
    const { spec } = z.looseObject({ spec: z.looseObject({}) }).parse(JSON.parse((await call("GET", path)).text));
    expect(spec).toMatchObject({
      serviceAccountName: "processor-user",
      securityContext: { runAsNonRoot: true, runAsUser: 10_001 },
      containers: [{ securityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } } }],
    });
    expect(
      z
        .array(z.looseObject({ name: z.string() }))
        .parse(spec["volumes"])
        .map(({ name }) => name),
    ).toEqual(["config", "secrets", "state", "tmp"]);
  });

  it("is in a namespace that lets in no other kind of pod", async () => {
    const answer = await call("POST", "/api/v1/namespaces/processor/pods", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "open" },
      spec: { containers: [{ name: "a", image: "a" }], serviceAccountName: "processor-user" },
    });
    expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('violates PodSecurity \\"restricted')]);
  });

  it.each([
    ["configmaps/processor-config", { data: { "config.json": "{}" } }],
    ["secrets/processor-secrets", { stringData: { "store-credential.json": "other" } }],
  ])("has %s that cannot change under a pod that runs", async (object, change) => {
    const answer = await call("PATCH", `/api/v1/namespaces/processor/${object}`, change);
    expect([answer.status, answer.text]).toEqual([422, expect.stringContaining("immutable")]);
  });
});
