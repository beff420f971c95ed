import { Cluster } from "@pulumi/openstack/containerinfra/cluster.js";
import { ClusterTemplate } from "@pulumi/openstack/containerinfra/clusterTemplate.js";
import { NodeGroup } from "@pulumi/openstack/containerinfra/nodeGroup.js";
import { type ReportViolation, type ResourceValidation, validateResourceOfType } from "@pulumi/policy";
import { ifKnown } from "./if-known.ts";
import type { ResourceRule } from "./rule.ts";
import { endOfSupport } from "./version.ts";

type Labels = Readonly<Record<string, unknown>> | undefined;

/** One of Magnum's labels, as text. Undefined: it is absent or not known yet. */
export function labelOf(labels: Labels, key: string): string | undefined {
  const value: unknown = ifKnown(() => labels?.[key]);
  return value === undefined || value === null ? undefined : String(value);
}

/** Checks the labels of templates, clusters and groups of nodes: each may override those of the one before. */
const validateLabels = (
  check: (labels: Labels, name: string, report: ReportViolation) => void,
): ResourceValidation[] => [
  validateResourceOfType(ClusterTemplate, (template, { name }, report) =>
    check(
      ifKnown(() => template.labels),
      name,
      report,
    ),
  ),
  validateResourceOfType(Cluster, (cluster, { name }, report) =>
    check(
      ifKnown(() => cluster.labels),
      name,
      report,
    ),
  ),
  validateResourceOfType(NodeGroup, (group, { name }, report) =>
    check(
      ifKnown(() => group.labels),
      name,
      report,
    ),
  ),
];

export const requireSupportedVersion: ResourceRule = {
  name: "cluster-require-supported-version",
  description: "A cluster must run Kubernetes in a version that is named and still gets fixes.",
  severity: "high",
  remediationSteps: "Set the label kube_tag to a supported version, as the operator offers it.",
  references: [
    { name: "Kubernetes releases", url: "https://kubernetes.io/releases/" },
    { name: "FSBP EKS.2", url: "https://docs.aws.amazon.com/securityhub/latest/userguide/eks-controls.html#eks-2" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ClusterTemplate, (template, { name }, report) => {
      const coe = ifKnown(() => template.coe);
      if (coe !== undefined && coe !== "kubernetes")
        report(`${name} must run Kubernetes, and runs ${coe}, which Magnum no longer supports.`);
      // Without it the version is what the operator's Magnum was released with.
      else if (ifKnown(() => !template.labels || !("kube_tag" in template.labels)))
        report(`${name} must name its version of Kubernetes in the label kube_tag.`);
    }),
    ...validateLabels((labels, name, report) => {
      const version = labelOf(labels, "kube_tag");
      const ended = version === undefined ? undefined : endOfSupport("kubernetes", version, new Date());
      if (ended)
        report(`${name} must run a supported version, and support of Kubernetes ${version} ended by ${ended}.`);
    }),
  ],
};

/** Labels that open what Magnum keeps closed, by what they must not be: https://docs.openstack.org/magnum/latest/user/#labels */
const unsafe: readonly (readonly [label: string, value: RegExp, why: string])[] = [
  ["kubeapi_options", /--anonymous-auth[= ]true/, "callers must say who they are"],
  ["kubeapi_options", /--authorization-mode[= ]\S*AlwaysAllow/, "callers must not be allowed everything"],
  ["kubeapi_options", /--insecure-(?:port[= ][1-9]|bind-address)/, "the API must not be open without TLS"],
  ["kubelet_options", /--anonymous-auth[= ]true/, "callers of the kubelet must say who they are"],
  ["kubelet_options", /--authorization-mode[= ]AlwaysAllow/, "callers of the kubelet must not be allowed everything"],
  ["kubelet_options", /--read-only-port[= ][1-9]/, "the kubelet must not answer without asking who calls"],
  ["selinux_mode", /^(?:permissive|disabled)$/i, "SELinux must be enforced on the nodes"],
  ["tiller_enabled", /^true$/i, "Helm 2's server administers the cluster for whoever reaches it"],
  ["grafana_admin_passwd", /./, "a label is no place for a password: who may read the cluster reads it"],
  ["cert_manager_api", /^true$/i, "the masters must not hold the key that signs certificates"],
];

export const disallowUnsafeLabel: ResourceRule = {
  name: "cluster-disallow-unsafe-label",
  description: "Labels must not open what Magnum keeps closed.",
  severity: "high",
  remediationSteps: "Drop the label, or the option in it.",
  references: [
    { name: "Magnum user guide", url: "https://docs.openstack.org/magnum/latest/user/#labels" },
    { name: "CIS Kubernetes 1.2, 4.2", url: "https://www.cisecurity.org/benchmark/kubernetes" },
  ],
  enforcementLevel: "mandatory",
  validateResource: validateLabels((labels, name, report) => {
    for (const [label, value, why] of unsafe)
      if (value.test(labelOf(labels, label) ?? "")) report(`${name} must not set ${label} so: ${why}.`);
  }),
};
