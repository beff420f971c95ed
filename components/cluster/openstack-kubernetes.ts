import * as pulumi from "@pulumi/pulumi";
import { Keypair } from "@pulumi/openstack/compute/keypair.js";
import { Cluster } from "@pulumi/openstack/containerinfra/cluster.js";
import { ClusterTemplate } from "@pulumi/openstack/containerinfra/clusterTemplate.js";
import type { KubernetesTarget } from "./kubernetes.ts";

/** More than Kubernetes advises etcd to grow to (8 GB): https://etcd.io/docs/latest/dev-guide/limits/ */
const etcdGB = "10";

export const openstack: KubernetesTarget = {
  unsupported: {},
  provision(
    name,
    { network, machine, image, version, nodes, nodeGB, nodeDiskType, stateDiskType, publicKey, deletable },
    opts,
  ) {
    const { place } = network;
    if (place.externalId === undefined)
      throw new pulumi.RunError(
        `${name}: Magnum needs the network's \`external\`, through which nodes fetch what they run; name it with: pulumi config set --path 'cais:platform.network.external.id' <id>, and external.name.`,
      );
    const labels = {
      kube_tag: version,
      // Else the API's load balancer would have an address that everyone may call.
      master_lb_floating_ip_enabled: "false",
      // Kubernetes keeps its secrets in etcd, as they are.
      etcd_volume_size: etcdGB,
      ...(nodeDiskType ? { docker_volume_type: nodeDiskType, etcd_volume_type: nodeDiskType } : {}),
    };
    const key = publicKey === undefined ? undefined : new Keypair(`${name}-nodes`, { publicKey }, opts);
    const template = new ClusterTemplate(
      `${name}-template`,
      {
        coe: "kubernetes",
        image,
        flavor: machine,
        masterFlavor: machine,
        networkDriver: "calico",
        // Without it Magnum installs no driver for the disks of workloads.
        volumeDriver: "cinder",
        dockerStorageDriver: "overlay2",
        dockerVolumeSize: nodeGB,
        externalNetworkId: place.externalId,
        fixedNetwork: place.networkId,
        fixedSubnet: place.subnetId,
        floatingIpEnabled: false,
        labels,
        ...(key ? { keypairId: key.name } : {}),
      },
      // Magnum changes no template that a cluster was made of.
      { ...opts, replaceOnChanges: ["*"] },
    );
    const cluster = new Cluster(
      name,
      { clusterTemplateId: template.id, masterCount: 1, nodeCount: nodes },
      // Another cluster would know nothing of the disks of this one.
      { ...opts, dependsOn: place.ready, protect: !deletable },
    );
    return {
      host: {
        kind: "kubernetes",
        kubeconfig: pulumi.secret(cluster.kubeconfig.apply((parts) => kubeconfigIn(name, parts))),
        nodeRange: place.cidr,
        // https://github.com/kubernetes/cloud-provider-openstack/blob/master/docs/openstack-cloud-controller-manager/expose-applications-using-loadbalancer-type-service.md
        privateBalancer: { "service.beta.kubernetes.io/openstack-internal-load-balancer": "true" },
        state: {
          // https://github.com/kubernetes/cloud-provider-openstack/blob/master/docs/cinder-csi-plugin/using-cinder-csi-plugin.md
          provisioner: "cinder.csi.openstack.org",
          parameters: stateDiskType ? { type: stateDiskType } : {},
        },
      },
      address: cluster.apiAddress,
      nodes: { template, cluster, ...(key ? { key } : {}) },
    };
  },
};

/**
 * The kubeconfig as one text. The SDK's docs call it `rawConfig`, but the keys of a map stay as Terraform has them:
 * https://github.com/terraform-provider-openstack/terraform-provider-openstack/blob/main/docs/resources/containerinfra_cluster_v1.md
 *
 * Throws a `RunError` when there is none: given an empty one, the provider for Kubernetes takes the cluster that the
 * deployer's own kubeconfig names, and all secrets would go there.
 */
export function kubeconfigIn(name: string, parts: Readonly<Record<string, string>>): string {
  const text = parts["raw_config"];
  if (!text)
    throw new pulumi.RunError(
      `${name}: the provider tells no kubeconfig of the cluster; see what is wrong with: openstack coe cluster show <its name>`,
    );
  return text;
}
