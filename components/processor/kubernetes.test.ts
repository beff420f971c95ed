import { ProcessorConfig } from "@cais/spec/bindings.ts";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import type { KubernetesHost } from "../cluster/host.ts";
import { record } from "../conformance.ts";
import { filesOf, runnerOn } from "./kubernetes.ts";
import type { Workload } from "./runner.ts";

const image = `registry.test/cais@sha256:${"0".repeat(64)}`;
const host: KubernetesHost = {
  kind: "kubernetes",
  kubeconfig: pulumi.output("a kubeconfig"),
  nodeRange: "10.20.0.0/24",
  privateBalancer: { "balancer.test/internal": "true" },
  state: { gb: 30, provisioner: "csi.test", parameters: { type: "luks" }, allowDataDeletion: false },
};
const secret = (file: string) => ({
  file,
  value: pulumi.secret(`value of ${file}`),
  reference: pulumi.output(`https://vault.test/${file}`),
});
const config = ProcessorConfig.parse({ environment: "prod", target: "openstack", api: {}, stacks: {} });
const workload = (change: Partial<Workload> = {}): Workload => ({
  name: "processor",
  tags: { owner: "data platform", stack: "platform", environment: "prod", costCentre: "cc-1" },
  image,
  memoryBytes: 2e9,
  cpus: 1.5,
  port: 8080,
  allowFrom: [],
  config: pulumi.output(config),
  secrets: [secret("store-credential.json"), secret("api-token")],
  ...change,
});
const made = async (change: Partial<Workload> = {}) => {
  const { created } = await record(() => runnerOn(host).run(workload(change), {}));
  return Object.fromEntries(created.map(({ type, name, inputs }) => [`${type.split(":").at(-1)} ${name}`, inputs]));
};

const labels = { "app.kubernetes.io/name": "cais", "app.kubernetes.io/instance": "processor" };
const annotations = { owner: "data platform", stack: "platform", environment: "prod", "cost-centre": "cc-1" };
const metadata = { namespace: "id of processor", labels, annotations };
const matchLabels = { "app.kubernetes.io/instance": "processor" };

describe("a workload on a Kubernetes", () => {
  it("is one pod in a namespace of its own, with what it needs and no more", async () => {
    const all = await made();
    expect(Object.keys(all).toSorted()).toEqual([
      "ConfigMap processor-config",
      "Namespace processor",
      "NetworkPolicy processor-calls",
      "PersistentVolumeClaim processor-state",
      "PodDisruptionBudget processor-moves",
      "Secret processor-secrets",
      "Service processor-api",
      "ServiceAccount processor-user",
      "StatefulSet processor",
      "StorageClass processor-state",
      "kubernetes processor-cluster",
    ]);
    expect(all["kubernetes processor-cluster"]).toMatchObject({ kubeconfig: { secret: "a kubeconfig" } });
    expect(all["Namespace processor"]).toMatchObject({
      metadata: { labels: { ...labels, "pod-security.kubernetes.io/enforce": "restricted" }, annotations },
    });
    expect(all["ServiceAccount processor-user"]).toMatchObject({ metadata, automountServiceAccountToken: false });
    expect(all["PodDisruptionBudget processor-moves"]).toMatchObject({
      spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow", selector: { matchLabels } },
    });
    expect(all["StatefulSet processor"]).toMatchObject({
      metadata,
      spec: { replicas: 1, podManagementPolicy: "Parallel", selector: { matchLabels } },
    });
  });

  it("has a pod without root, rights, a token or a root that can be written, within limits", async () => {
    const all = await made({ login: { username: "robot", password: secret("registry") } });
    expect(all["StatefulSet processor"]).toMatchObject({
      spec: {
        template: {
          metadata: { labels, annotations },
          spec: {
            serviceAccountName: "id of processor-user",
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 60,
            imagePullSecrets: [{ name: "id of processor-registry" }],
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 10_001,
              runAsGroup: 10_001,
              fsGroup: 10_001,
              fsGroupChangePolicy: "OnRootMismatch",
              seccompProfile: { type: "RuntimeDefault" },
            },
            containers: [
              {
                name: "processor",
                image,
                env: [
                  { name: "CAIS_CONFIG", value: "/etc/cais/config.json" },
                  { name: "CAIS_DATA", value: "/data" },
                ],
                ports: [{ name: "api", containerPort: 8080 }],
                securityContext: {
                  allowPrivilegeEscalation: false,
                  privileged: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ["ALL"] },
                },
                resources: {
                  limits: { memory: "2000000000", cpu: "1500m" },
                  requests: { memory: "2000000000", cpu: "375m" },
                },
                startupProbe: { httpGet: { path: "/healthz", port: "api" } },
                livenessProbe: { httpGet: { path: "/healthz", port: "api" } },
                readinessProbe: { httpGet: { path: "/readyz", port: "api" } },
                volumeMounts: [
                  { name: "config", mountPath: "/etc/cais", readOnly: true },
                  { name: "secrets", mountPath: "/run/cais/secrets", readOnly: true },
                  { name: "state", mountPath: "/data" },
                  { name: "tmp", mountPath: "/tmp" },
                ],
              },
            ],
            volumes: [
              { name: "config", configMap: { name: "id of processor-config", defaultMode: 0o440 } },
              { name: "secrets", secret: { secretName: "id of processor-secrets", defaultMode: 0o440 } },
              { name: "state", persistentVolumeClaim: { claimName: "id of processor-state" } },
              { name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "64Mi" } },
            ],
          },
        },
      },
    });
  });

  it("has its config in the open and its secrets closed, none of which can be changed in place", async () => {
    const all = await made({ authorities: ["one\n", "two\n"] });
    expect(all["ConfigMap processor-config"]).toMatchObject({
      metadata,
      immutable: true,
      data: { "config.json": JSON.stringify(config), "ca.pem": "one\ntwo\n" },
    });
    expect(all["Secret processor-secrets"]).toMatchObject({
      metadata,
      immutable: true,
      stringData: {
        secret: { "store-credential.json": "value of store-credential.json", "api-token": "value of api-token" },
      },
    });
    const trusting = all["StatefulSet processor"];
    expect(JSON.stringify(trusting)).toContain('{"name":"NODE_EXTRA_CA_CERTS","value":"/etc/cais/ca.pem"}');
    expect((await made())["ConfigMap processor-config"]).toMatchObject({
      data: { "config.json": JSON.stringify(config) },
    });
  });

  it("logs in to the image's registry with a secret of its own", async () => {
    const all = await made({ login: { username: "robot", password: secret("registry") } });
    const auths = { "registry.test": { username: "robot", password: "value of registry" } };
    expect(all["Secret processor-registry"]).toMatchObject({
      type: "kubernetes.io/dockerconfigjson",
      stringData: { secret: { ".dockerconfigjson": JSON.stringify({ auths }) } },
    });
  });

  it("keeps its state on a disk that stays behind when its claim goes", async () => {
    const all = await made();
    expect(all["StorageClass processor-state"]).toMatchObject({
      provisioner: "csi.test",
      parameters: { type: "luks" },
      reclaimPolicy: "Retain",
      allowVolumeExpansion: true,
      volumeBindingMode: "WaitForFirstConsumer",
    });
    expect(all["PersistentVolumeClaim processor-state"]).toMatchObject({
      metadata,
      spec: {
        accessModes: ["ReadWriteOnce"],
        storageClassName: "id of processor-state",
        resources: { requests: { storage: "30Gi" } },
      },
    });
  });

  const everywhereButMetadata = {
    to: [
      { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.169.254/32"] } },
      { ipBlock: { cidr: "::/0", except: ["fe80::a9fe:a9fe/128"] } },
    ],
  };

  it("is called by nobody, and calls anyone but the metadata service", async () => {
    const all = await made();
    expect(all["NetworkPolicy processor-calls"]).toMatchObject({
      metadata,
      spec: {
        podSelector: { matchLabels },
        policyTypes: ["Ingress", "Egress"],
        ingress: [],
        egress: [everywhereButMetadata, { ports: [{ port: 53 }, { port: 53 }] }],
      },
    });
    expect(all["Service processor-api"]).toMatchObject({
      metadata,
      spec: { type: "ClusterIP", selector: matchLabels, ports: [{ name: "api", port: 8080, targetPort: "api" }] },
    });
  });

  it("is called by whom it is told, through a balancer with a private address", async () => {
    const all = await made({ allowFrom: ["10.0.0.0/8", "192.0.2.0/24"] });
    expect(all["NetworkPolicy processor-calls"]).toMatchObject({
      spec: {
        ingress: [
          {
            from: ["10.0.0.0/8", "192.0.2.0/24", "10.20.0.0/24"].map((cidr) => ({ ipBlock: { cidr } })),
            ports: [{ protocol: "TCP", port: 8080 }],
          },
        ],
      },
    });
    expect(all["Service processor-api"]).toMatchObject({
      metadata: { annotations: { ...annotations, "balancer.test/internal": "true" } },
      spec: { type: "LoadBalancer", loadBalancerSourceRanges: ["10.0.0.0/8", "192.0.2.0/24"] },
    });
  });

  it("refuses callers whom its balancer could not tell apart", async () => {
    await expect(made({ allowFrom: ["10.0.0.0/8", "2001:db8::/32"] })).rejects.toThrow(
      "processor: allowFrom has 2001:db8::/32, and the balancer's address is of IPv4; leave out ranges of IPv6.",
    );
  });

  it("refuses a config that no ConfigMap holds", () => {
    expect(() => filesOf("processor", "é".repeat(2 ** 19 + 1))).toThrow(
      "processor: its config has 1048578 bytes, and a ConfigMap holds 1048576; give some of its stacks a processor of their own (`isolated: true`).",
    );
    expect(Object.keys(filesOf("processor", "é".repeat(2 ** 19)))).toEqual(["config.json"]);
  });
});
