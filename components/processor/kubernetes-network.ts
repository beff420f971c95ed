import type { networking } from "@pulumi/kubernetes/types/input.js";
import type { KubernetesHost } from "../cluster/host.ts";
import type { Workload } from "./runner.ts";

/** Where a cloud tells whoever asks what its machine is and, in its user data, which credentials it has. */
const metadataService = { v4: "169.254.169.254/32", v6: "fe80::a9fe:a9fe/128" };

/**
 * Who may call a workload, and whom it may call: anyone but the metadata service, since sources and sinks are anywhere. The
 * kubelet's probes come from the pod's own node, which no policy keeps out.
 */
export function policySpec(
  { port, allowFrom }: Workload,
  { nodeRange }: KubernetesHost,
  matchLabels: Record<string, string>,
): networking.v1.NetworkPolicySpec {
  // A balancer asks for the callers itself; what it passes on has the address of a node or its own.
  const callers = allowFrom.length > 0 ? [...new Set([...allowFrom, nodeRange])] : [];
  return {
    podSelector: { matchLabels },
    policyTypes: ["Ingress", "Egress"],
    ingress:
      callers.length > 0
        ? [{ from: callers.map((cidr) => ({ ipBlock: { cidr } })), ports: [{ protocol: "TCP", port }] }]
        : [],
    egress: [
      {
        to: [
          { ipBlock: { cidr: "0.0.0.0/0", except: [metadataService.v4] } },
          { ipBlock: { cidr: "::/0", except: [metadataService.v6] } },
        ],
      },
      // Not every network driver takes a pod for an address.
      {
        to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } } }],
        ports: [
          { protocol: "UDP", port: 53 },
          { protocol: "TCP", port: 53 },
        ],
      },
    ],
  };
}
