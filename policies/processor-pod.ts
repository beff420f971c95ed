import type { ResourceValidation } from "@pulumi/policy";
import { at, containersOf, itemsAt, later, podOf } from "./pod.ts";
import type { ResourceRule, StackRule } from "./rule.ts";

const standards = {
  name: "Kubernetes, restricted pod security standard",
  url: "https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted",
};
const cis = (control: string) => ({
  name: `CIS Kubernetes ${control}`,
  url: "https://www.cisecurity.org/benchmark/kubernetes",
});
export const podReferences = [standards, cis("5.2")] as const;

/** A container's own setting, else its pod's. */
function setting(pod: unknown, container: unknown, key: string): unknown {
  const own = at(container, "securityContext", key);
  return own === undefined ? at(pod, "spec", "securityContext", key) : own;
}

/** What a container must have, and whether it does; what is not known yet is taken for right. */
const required: readonly [string, (pod: unknown, container: unknown) => boolean][] = [
  ["runAsNonRoot", (pod, container) => isOr(true, setting(pod, container, "runAsNonRoot"))],
  [
    "allowPrivilegeEscalation: false",
    (_, container) => isOr(false, at(container, "securityContext", "allowPrivilegeEscalation")),
  ],
  ["readOnlyRootFilesystem", (_, container) => isOr(true, at(container, "securityContext", "readOnlyRootFilesystem"))],
  ["capabilities.drop: [ALL]", (_, container) => dropsAll(container)],
  [
    "seccompProfile: RuntimeDefault",
    (pod, container) => {
      const type = at(setting(pod, container, "seccompProfile"), "type");
      return type === later || type === "RuntimeDefault" || type === "Localhost";
    },
  ],
];

const isOr = (wanted: boolean, value: unknown) => value === later || value === wanted;

function dropsAll(container: unknown): boolean {
  const place = ["securityContext", "capabilities", "drop"] as const;
  return at(container, ...place) === later || itemsAt(container, ...place).includes("ALL");
}

/** Ways in which pods are let out. */
const hostSettings = ["hostNetwork", "hostPID", "hostIPC"] as const;

function openings(pod: unknown): string[] {
  const spec = at(pod, "spec");
  const containers = containersOf(pod).flatMap(({ name, container }) => {
    const added = itemsAt(container, "securityContext", "capabilities", "add").filter(
      (one) => one !== "NET_BIND_SERVICE",
    );
    return [
      ...(at(container, "securityContext", "privileged") === true ? [`privileged in ${name}`] : []),
      ...(setting(pod, container, "runAsUser") === 0 ? [`runAsUser 0 in ${name}`] : []),
      ...added.map((capability) => `the capability ${String(capability)} in ${name}`),
    ];
  });
  const volumes = itemsAt(spec, "volumes").flatMap((volume) => {
    const path = at(volume, "hostPath", "path");
    return path === undefined ? [] : [`hostPath ${path === later ? "in a volume" : String(path)}`];
  });
  return [...hostSettings.filter((key) => at(spec, key) === true), ...volumes, ...containers];
}

/** The part of `processor-require-least-privilege` about pods. */
export const podsAreClosed: ResourceValidation = (resource, report) => {
  const pod = podOf(resource);
  const { name } = resource;
  for (const { name: own, container } of containersOf(pod)) {
    const lacking = required.filter(([, holds]) => !holds(pod, container)).map(([shown]) => shown);
    if (lacking.length > 0)
      report(`${name} must run with least privilege, and its container ${own} lacks ${lacking.join(", ")}.`);
  }
  for (const opening of openings(pod)) report(`${name} must be kept from the machine, and has ${opening}.`);
  if (at(pod, "spec") !== undefined && !isOr(false, at(pod, "spec", "automountServiceAccountToken")))
    report(`${name} must be kept from the cluster's API, and does not set automountServiceAccountToken to false.`);
};

/** The part of `processor-require-limits` about pods. How many processes a pod may have is the kubelet's to say. */
export const podsHaveLimits: ResourceValidation = (resource, report) => {
  for (const { name, container } of containersOf(podOf(resource))) {
    const lacking = ["memory", "cpu"].filter((limit) => at(container, "resources", "limits", limit) === undefined);
    if (lacking.length > 0)
      report(`${resource.name} must have limits, and its container ${name} lacks ${lacking.join(", ")}.`);
  }
};

export const disallowDefaultNamespace: ResourceRule = {
  name: "processor-disallow-default-namespace",
  description: "Pods must be in a namespace that is made for them.",
  severity: "medium",
  remediationSteps: "Make a namespace and name it in metadata.namespace.",
  references: [cis("5.7.4")],
  enforcementLevel: "mandatory",
  validateResource(resource, report) {
    if (podOf(resource) === undefined) return;
    const namespace = at(resource.props, "metadata", "namespace");
    if (namespace === undefined || namespace === "default")
      report(`${resource.name} must be in a namespace of its own, and is in default.`);
  },
};

/** Those that run for good; a job ends by itself. */
const lasting = /:(?:Deployment|StatefulSet|DaemonSet)$/;

export const requireProbes: ResourceRule = {
  name: "processor-require-probes",
  description: "Pods that run for good must be asked whether they live and whether they can work.",
  severity: "low",
  remediationSteps: "Set livenessProbe and readinessProbe; the processor answers at /healthz and /readyz.",
  references: [
    {
      name: "Kubernetes, probes",
      url: "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource(resource, report) {
    if (!lasting.test(resource.type)) return;
    for (const container of itemsAt(podOf(resource), "spec", "containers")) {
      const lacking = ["livenessProbe", "readinessProbe"].filter((probe) => at(container, probe) === undefined);
      if (lacking.length > 0) report(`${resource.name} must be watched, and lacks ${lacking.join(", ")}.`);
    }
  },
};

const networkPolicy = /^kubernetes:networking\.k8s\.io\/v1:NetworkPolicy$/;

const namespaceOf = (props: object) => at(props, "metadata", "namespace");

/** Whether a NetworkPolicy says who may call pods, and whom they may call. */
function keepsApart(policy: object, pod: unknown): boolean {
  const types = at(policy, "spec", "policyTypes");
  if (types !== later && !["Ingress", "Egress"].every((type) => itemsAt(policy, "spec", "policyTypes").includes(type)))
    return false;
  const labels = at(pod, "metadata", "labels");
  const wanted = at(policy, "spec", "podSelector", "matchLabels");
  const hasLabels = Object.keys(typeof wanted === "object" && wanted !== null ? wanted : {}).every((key) => {
    const [asked, has] = [at(wanted, key), at(labels, key)];
    return asked === later || has === later || asked === has;
  });
  return hasLabels && itemsAt(policy, "spec", "podSelector", "matchExpressions").every((one) => fits(one, labels));
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements */
function fits(expression: unknown, labels: unknown): boolean {
  const key = at(expression, "key");
  const has = typeof key === "string" ? at(labels, key) : later;
  if (has === later) return true;
  switch (at(expression, "operator")) {
    case "In":
      return itemsAt(expression, "values").includes(has);
    case "NotIn":
      return !itemsAt(expression, "values").includes(has);
    case "Exists":
      return has !== undefined;
    case "DoesNotExist":
      return has === undefined;
    default:
      return true;
  }
}

export const requireNetworkPolicy: StackRule = {
  name: "processor-require-network-policy",
  description: "Pods must come with a NetworkPolicy: without one every pod of the cluster may call them.",
  severity: "high",
  remediationSteps: "Add a NetworkPolicy of both policyTypes in the pods' namespace, whose podSelector selects them.",
  references: [cis("5.3.2")],
  enforcementLevel: "mandatory",
  validateStack({ resources }, report) {
    const policies = resources.filter(({ type }) => networkPolicy.test(type));
    for (const resource of resources) {
      const pod = podOf(resource);
      if (pod === undefined) continue;
      const own = namespaceOf(resource.props);
      const isKept = policies.some(({ props }) => {
        const other = namespaceOf(props);
        return (own === later || other === later || own === other) && keepsApart(props, pod);
      });
      if (!isKept)
        report(
          `${resource.name} must come with a NetworkPolicy for calls in and out, and none here is for its pods.`,
          resource.urn,
        );
    }
  },
};
