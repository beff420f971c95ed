import { Cluster } from "@pulumi/openstack/containerinfra/cluster.js";
import { ClusterTemplate } from "@pulumi/openstack/containerinfra/clusterTemplate.js";
import { NodeGroup } from "@pulumi/openstack/containerinfra/nodeGroup.js";
import { type ReportViolation, validateResourceOfType } from "@pulumi/policy";
import { disallowUnsafeLabel, labelOf, requireSupportedVersion } from "./cluster-label.ts";
import { ifKnown } from "./if-known.ts";
import { isWide, readRange } from "./range.ts";
import type { ResourceRule } from "./rule.ts";

const magnum = { name: "Magnum user guide", url: "https://docs.openstack.org/magnum/latest/user/" };

export const requireTls: ResourceRule = {
  name: "cluster-require-tls",
  description: "A cluster's API must be encrypted, and its callers known.",
  severity: "critical",
  remediationSteps: "Leave tlsDisabled off.",
  references: [magnum],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ClusterTemplate, (template, { name }, report) => {
      if (ifKnown(() => template.tlsDisabled))
        report(`${name} must use TLS: without it anyone who reaches the API administers the cluster.`);
    }),
  ],
};

export const disallowInsecureRegistry: ResourceRule = {
  name: "cluster-disallow-insecure-registry",
  description: "Nodes must fetch images over TLS.",
  severity: "high",
  remediationSteps: "Drop insecureRegistry and give the registry a certificate that the nodes trust.",
  references: [
    magnum,
    { name: "OWASP Docker", url: "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ClusterTemplate, (template, { name }, report) => {
      const registry = ifKnown(() => template.insecureRegistry);
      if (registry) report(`${name} must fetch images over TLS, and does not from ${registry}.`);
    }),
  ],
};

/** What exposes the API's load balancer: its own address, to whom it does not say or to everyone. */
const exposesApi = (labels: Readonly<Record<string, unknown>> | undefined): boolean => {
  if (labelOf(labels, "master_lb_floating_ip_enabled")?.toLowerCase() !== "true") return false;
  const allowed = (labelOf(labels, "master_lb_allowed_cidrs") ?? "").split(",").map((text) => text.trim());
  return allowed.some((text) => {
    const range = readRange(text);
    return !range || isWide(range);
  });
};

export const disallowPublicAddress: ResourceRule = {
  name: "cluster-disallow-public-address",
  description: "Nodes must have private addresses only, and a public address of the API must say who may call.",
  severity: "high",
  remediationSteps:
    "Set floatingIpEnabled to false (Magnum's default is true); with the label master_lb_floating_ip_enabled set master_lb_allowed_cidrs to ranges no wider than /8.",
  references: [
    magnum,
    { name: "FSBP EKS.1", url: "https://docs.aws.amazon.com/securityhub/latest/userguide/eks-controls.html#eks-1" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ClusterTemplate, (template, { name }, report) => {
      if (ifKnown(() => template.floatingIpEnabled !== false))
        report(`${name} must not give its nodes public addresses, and does not set floatingIpEnabled to false.`);
      if (exposesApi(ifKnown(() => template.labels))) report(`${name} must say who may call its public API.`);
    }),
    validateResourceOfType(Cluster, (cluster, { name }, report) => {
      if (ifKnown(() => cluster.floatingIpEnabled)) report(`${name} must not give its nodes public addresses.`);
      if (exposesApi(ifKnown(() => cluster.labels))) report(`${name} must say who may call its public API.`);
    }),
  ],
};

export const disallowPublicTemplate: ResourceRule = {
  name: "cluster-disallow-public-template",
  description: "A cluster template must not be open to every project.",
  severity: "medium",
  remediationSteps: "Leave `public` off.",
  references: [magnum],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ClusterTemplate, (template, { name }, report) => {
      if (ifKnown(() => template.public)) report(`${name} must not be open to every project.`);
    }),
  ],
};

export const requireNetworkPolicy: ResourceRule = {
  name: "cluster-require-network-policy",
  description: "Pods must be kept apart: the network driver must enforce NetworkPolicy.",
  severity: "high",
  remediationSteps: "Set networkDriver to calico or cilium; flannel, which is Magnum's default, enforces none.",
  references: [magnum, { name: "CIS Kubernetes 5.3.1", url: "https://www.cisecurity.org/benchmark/kubernetes" }],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ClusterTemplate, (template, { name }, report) => {
      if (ifKnown(() => template.coe) !== "kubernetes") return;
      const driver = ifKnown(() => template.networkDriver ?? "flannel");
      if (driver === "flannel") report(`${name} must keep pods apart, and its network driver ${driver} cannot.`);
    }),
  ],
};

const tellNoVolume = (nodes: { dockerVolumeSize?: number }, { name }: { name: string }, report: ReportViolation) => {
  if (ifKnown(() => nodes.dockerVolumeSize === 0))
    report(`${name} must give its nodes a volume for containers, and its dockerVolumeSize is 0.`);
};

export const requireDockerVolume: ResourceRule = {
  name: "cluster-require-docker-volume",
  description:
    "Nodes must keep images and containers on a volume of their own, so that these cannot fill the node's disk.",
  severity: "low",
  remediationSteps: "Set dockerVolumeSize, and the label docker_volume_type to an encrypted type.",
  references: [magnum, { name: "CIS Docker 1.1.1", url: "https://www.cisecurity.org/benchmark/docker" }],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ClusterTemplate, (template, { name }, report) => {
      if (ifKnown(() => (template.dockerVolumeSize ?? 0) === 0))
        report(`${name} must give its nodes a volume for containers, and sets no dockerVolumeSize.`);
    }),
    validateResourceOfType(Cluster, tellNoVolume),
    validateResourceOfType(NodeGroup, tellNoVolume),
  ],
};

export const rules = [
  requireTls,
  disallowInsecureRegistry,
  requireSupportedVersion,
  disallowPublicAddress,
  disallowPublicTemplate,
  requireNetworkPolicy,
  disallowUnsafeLabel,
  requireDockerVolume,
];
