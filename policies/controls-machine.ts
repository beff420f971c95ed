import type { Control } from "./controls.ts";

const fsbp = "FSBP";
const security = "OpenStack Security Guide";
const operator = "the cloud's operator decides it, and no resource of a project shows it";

/** The controls of networks and of what computes and keeps data in them. */
export const machineControls: Readonly<Record<string, readonly Control[]>> = {
  network: [
    {
      control: "no 0.0.0.0/0 or ::/0, least of all on ports of administration and of databases",
      source: "FSBP EC2.13, EC2.14, EC2.18, EC2.19",
      rules: ["network-disallow-open-ingress", "network-disallow-sensitive-ports", "network-require-ingress-ports"],
    },
    {
      control: "every port behind its own addresses and a security group",
      source: security,
      rules: ["network-require-port-security", "network-disallow-any-address", "network-require-security-group"],
    },
    { control: "nothing shared with every project", source: security, rules: ["network-disallow-sharing"] },
    {
      control: "firewalls and tunnels that hold",
      source: "RFC 8221, RFC 8247",
      rules: ["network-require-firewall-destination", "network-require-strong-tunnel"],
    },
    {
      control: "traffic out only where it must go",
      source: "CIS Controls 13.4",
      rules: [],
      why: "sources and sinks are anywhere; the processor refuses private and metadata addresses itself unless they are allowed",
    },
    { control: "flow logs", source: `${fsbp} EC2.6`, rules: [], why: `in Neutron, ${operator}` },
  ],
  instance: [
    {
      control: "metadata service with a session (IMDSv2)",
      source: `${fsbp} EC2.8`,
      rules: [],
      why: "Nova has no such setting; the machine that Cais makes closes the service to its containers",
    },
    {
      control: "login by key at most",
      source: "CIS benchmarks of the systems",
      rules: ["instance-disallow-password-login", "instance-disallow-key-pair", "instance-disallow-generated-key"],
    },
    { control: "no public address", source: `${fsbp} EC2.9`, rules: ["instance-disallow-public-address"] },
    {
      control: "behind a security group of its own",
      source: `${fsbp} EC2.2`,
      rules: ["instance-require-security-group", "network-require-security-group"],
    },
    { control: "encrypted volume", source: `${fsbp} EC2.3`, rules: ["volume-require-encrypted-type"] },
    {
      control: "no secret in user data",
      source: security,
      rules: ["plain-secret-disallow-in-input", "instance-disallow-config-drive"],
    },
    {
      control: "images that are known",
      source: security,
      rules: ["image-require-id", "instance-require-verified-image", "instance-disallow-public-image"],
    },
  ],
  volume: [
    {
      control: "encrypted at rest",
      source: `${fsbp} EC2.3`,
      rules: ["volume-require-encrypted-type"],
      why: "which types encrypt only the operator knows: cais:policies.volumeTypes lists them; a machine's local disk has no type",
    },
    {
      control: "data that outlives the machine",
      source: security,
      rules: ["volume-require-protection", "volume-disallow-deletion-with-machine"],
    },
    { control: "no share that is open to all", source: `${fsbp} EFS.6`, rules: ["volume-disallow-public-share"] },
    {
      control: "backups",
      source: `${fsbp} EC2.28`,
      rules: [],
      why: "Cinder makes backups by calls of its API, and the provider has no resource for them",
    },
  ],
  cluster: [
    {
      control: "private or restricted endpoint",
      source: `${fsbp} EKS.1`,
      rules: ["cluster-disallow-public-address", "cluster-require-tls"],
    },
    {
      control: "secrets encrypted",
      source: `${fsbp} EKS.3`,
      rules: [],
      why: "Magnum has no such setting: what the processor is given of its secrets lies on etcd's volume, which has an encrypted type",
    },
    {
      control: "audit log",
      source: `${fsbp} EKS.8`,
      rules: [],
      why: "no argument of Magnum's template turns it on; what a label does is up to the operator's driver",
    },
    { control: "supported version", source: `${fsbp} EKS.2`, rules: ["cluster-require-supported-version"] },
    {
      control: "trusted registries, closed templates and labels",
      source: security,
      rules: [
        "cluster-disallow-insecure-registry",
        "cluster-disallow-public-template",
        "cluster-disallow-unsafe-label",
      ],
    },
    {
      control: "pods kept apart (NetworkPolicy)",
      source: "CIS Kubernetes 5.3",
      rules: ["cluster-require-network-policy"],
    },
    {
      control: "encrypted volumes, and one for containers",
      source: "CIS Docker 1.1",
      rules: ["volume-require-encrypted-type", "cluster-require-docker-volume"],
    },
    {
      control: "no login to nodes",
      source: "CIS Kubernetes",
      rules: [],
      why: "Magnum makes no cluster without a key pair; nodes without public addresses are reached from the network only",
    },
  ],
  database: [
    {
      control: "not public",
      source: `${fsbp} RDS.2`,
      rules: ["database-require-network", "database-disallow-any-host"],
      why: "that Trove makes an instance public is no argument of the provider",
    },
    {
      control: "encrypted at rest",
      source: `${fsbp} RDS.3`,
      rules: [],
      why: "the provider's SDK has no argument for the disk's type; cais:platform.database.diskType puts it in all the same",
    },
    {
      control: "backups",
      source: `${fsbp} RDS.11`,
      rules: [],
      why: "Trove makes backups by calls of its API, not by a setting of the instance",
    },
    { control: "deletion protection", source: `${fsbp} RDS.8`, rules: ["database-require-protection"] },
    { control: "TLS and logs", source: `${fsbp} RDS.9`, rules: ["database-disallow-unsafe-setting"] },
    { control: "supported version", source: security, rules: ["database-require-supported-version"] },
  ],
  "load-balancer": [
    {
      control: "TLS for callers, with a certificate of its own",
      source: `${fsbp} ELB.1, ELB.2, ELB.3, ELB.18`,
      rules: ["load-balancer-require-tls", "load-balancer-require-certificate"],
      why: "a TCP listener passes on what its members speak, which no plan shows",
    },
    {
      control: "TLS 1.2 or later",
      source: `${fsbp} ELB.17`,
      rules: [],
      why: "the provider has no argument for it; Octavia's own default is 1.2 and 1.3",
    },
    {
      control: "named callers",
      source: `${fsbp} EC2.18, EC2.19`,
      rules: ["network-disallow-open-ingress", "network-disallow-sensitive-ports"],
    },
    {
      control: "members that are watched",
      source: "Octavia's documentation",
      rules: ["load-balancer-require-health-check"],
    },
    { control: "access log", source: `${fsbp} ELB.5`, rules: [], why: `in Octavia, ${operator}` },
  ],
};
