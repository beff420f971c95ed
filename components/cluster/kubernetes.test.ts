import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { record, resolved, testArguments } from "../conformance.ts";
import { Network } from "../network/index.ts";
import { type KubernetesArgs, KubernetesCluster, kubernetesTargets } from "./kubernetes.ts";
import { kubeconfigIn } from "./openstack-kubernetes.ts";

const tags = { owner: "data-platform", stack: "platform", environment: "prod", costCentre: "cc-1" } as const;
const external = { id: "external-id", name: "public" };
const network = (name = "platform") => new Network(name, { tags, external, target: "openstack" });
const args = (): KubernetesArgs => ({
  kind: "kubernetes",
  network: network(),
  machine: "m1.large",
  image: "image-id",
  version: "v1.34.1",
  target: "openstack",
});

const closed = () => new Network("platform", { tags, target: "openstack" });

describe("KubernetesCluster", () => {
  testArguments<Omit<KubernetesArgs, "kind">>(
    kubernetesTargets,
    args,
    {
      network: () => ({ network: network("other") }),
      machine: () => ({ machine: "m1.small" }),
      image: () => ({ image: "other-image" }),
      version: () => ({ version: "v1.35.0" }),
      nodes: () => ({ nodes: 3 }),
      nodeGB: () => ({ nodeGB: 40 }),
      nodeDiskType: () => ({ nodeDiskType: "luks" }),
      stateGB: () => ({ stateGB: 100 }),
      stateDiskType: () => ({ stateDiskType: "luks" }),
      allowDataDeletion: () => ({ allowDataDeletion: true }),
      publicKey: () => ({ publicKey: "ssh-ed25519 AAAA" }),
    },
    (args) => new KubernetesCluster("apps", { ...args, kind: "kubernetes" }).host,
  );

  it("is a template and a cluster of Magnum, with private addresses only", async () => {
    const { result, created } = await record(() => new KubernetesCluster("apps", { ...args(), nodeDiskType: "luks" }));
    expect(created.filter(({ type }) => type.startsWith("openstack:containerinfra/"))).toEqual([
      {
        type: "openstack:containerinfra/cluster:Cluster",
        name: "apps",
        inputs: { clusterTemplateId: "id of apps-template", masterCount: 1, nodeCount: 1 },
      },
      {
        type: "openstack:containerinfra/clusterTemplate:ClusterTemplate",
        name: "apps-template",
        inputs: {
          coe: "kubernetes",
          image: "image-id",
          flavor: "m1.large",
          masterFlavor: "m1.large",
          networkDriver: "calico",
          volumeDriver: "cinder",
          dockerStorageDriver: "overlay2",
          dockerVolumeSize: 20,
          externalNetworkId: "external-id",
          fixedNetwork: "id of platform",
          fixedSubnet: "id of platform-subnet",
          floatingIpEnabled: false,
          labels: {
            kube_tag: "v1.34.1",
            master_lb_floating_ip_enabled: "false",
            etcd_volume_size: "10",
            docker_volume_type: "luks",
            etcd_volume_type: "luks",
          },
        },
      },
    ]);
    expect(await resolved(result.host)).toEqual({
      kind: "kubernetes",
      kubeconfig: "a kubeconfig",
      nodeRange: "10.20.0.0/24",
      privateBalancer: { "service.beta.kubernetes.io/openstack-internal-load-balancer": "true" },
      state: { gb: 50, provisioner: "cinder.csi.openstack.org", parameters: {}, allowDataDeletion: false },
    });
    expect(await pulumi.isSecret(result.host.kubeconfig)).toBe(true);
    expect(await resolved(result.address)).toBe("https://10.20.0.10:6443");
  });

  it("is called by a kubeconfig of its own, or not at all", () => {
    expect(kubeconfigIn("apps", { host: "https://10.20.0.10:6443", raw_config: "a kubeconfig" })).toBe("a kubeconfig");
    expect(() => kubeconfigIn("apps", { host: "https://10.20.0.10:6443", rawConfig: "a kubeconfig" })).toThrow(
      "apps: the provider tells no kubeconfig of the cluster; see what is wrong with: openstack coe cluster show <its name>",
    );
    expect(() => kubeconfigIn("apps", { raw_config: "" })).toThrow("no kubeconfig");
  });

  it("needs a way out", async () => {
    await expect(record(() => new KubernetesCluster("apps", { ...args(), network: closed() }))).rejects.toThrow(
      "apps: Magnum needs the network's `external`, through which nodes fetch what they run; name it with: pulumi config set --path 'cais:platform.network.external.id' <id>, and external.name.",
    );
  });

  it("does not exist on local, and says what takes its place", async () => {
    await expect(record(() => new KubernetesCluster("apps", { ...args(), target: "local" }))).rejects.toThrow(
      "apps: local has no cluster: the processor is a process on this machine.",
    );
  });
});
