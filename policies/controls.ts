import { generalControls } from "./controls-general.ts";

/** Something that benchmarks ask for, and what of the pack holds it. */
export interface Control {
  readonly control: string;
  /** Who asks for it. */
  readonly source: string;
  /** Ids of the rules that hold it. */
  readonly rules: readonly string[];
  /** Why no rule holds it, or what the rules leave open. Required where there is no rule. */
  readonly why?: string;
}

const fsbp = "FSBP";
const swift = "Swift's documentation";
const security = "OpenStack Security Guide";
const operator = "the cloud's operator decides it, and no resource of a project shows it";

/** The controls that are worth most, by noun. `docs/policies.md` shows them. */
export const controls: Readonly<Record<string, readonly Control[]>> = {
  "object-store": [
    {
      control: "no public access, no public listing, no wildcard principal, no share with every project",
      source: "FSBP S3.1, S3.6, S3.8; CIS Azure 9; Swift's documentation",
      rules: ["object-store-disallow-public-access"],
    },
    {
      control: "TLS only",
      source: "FSBP S3.5; CIS Azure 9",
      rules: ["identity-require-tls"],
      why: "Swift has no setting of its own: what counts is how it is called",
    },
    { control: "encryption at rest", source: "FSBP S3.17", rules: [], why: `in Swift, ${operator}` },
    {
      control: "versioning or soft delete",
      source: "FSBP S3.14; CIS Azure 9",
      rules: ["object-store-require-versioning"],
    },
    {
      control: "lifecycle",
      source: "FSBP S3.13",
      rules: [],
      why: "Swift has no rules for a container: each object carries its own end (X-Delete-At), and the processor deletes what its tables no longer need",
    },
    {
      control: "access log",
      source: "FSBP S3.9",
      rules: [],
      why: `in Swift, ${operator}; the processor keeps an audit log of its own (\`cais audit\`)`,
    },
    { control: "deletion of data on purpose only", source: "FSBP S3.20", rules: ["object-store-require-protection"] },
    {
      control: "no key for temporary URLs, and short ones that only read",
      source: swift,
      rules: ["object-store-disallow-temp-url-key", "object-store-disallow-lasting-temp-url"],
      why: "the account's own keys are no resource of a program",
    },
    {
      control: "quotas",
      source: swift,
      rules: ["object-store-require-quota"],
      why: "only where others may write; the operator's quota of the account stands above it",
    },
    { control: "no copy to another cluster", source: swift, rules: ["object-store-disallow-sync"] },
    {
      control: "no secret in metadata",
      source: swift,
      rules: ["object-store-disallow-secret-metadata", "plain-secret-disallow-in-input"],
    },
  ],
  secret: [
    {
      control: "readable by whom it is meant for",
      source: security,
      rules: ["secret-disallow-project-access"],
      why: "a secret without an ACL is open to the project's own users with a reading role: were it open to its maker alone, no second operator could deploy",
    },
    { control: "keys that are still accepted", source: "NIST SP 800-131A", rules: ["secret-disallow-weak-keys"] },
    { control: "nothing secret beside the secret", source: security, rules: ["secret-disallow-secret-metadata"] },
    {
      control: "no payload in the program",
      source: security,
      rules: ["plain-secret-disallow-in-config", "plain-secret-disallow-in-input"],
      why: "Barbican's SDK marks every payload as secret, wherever it comes from; in the config a secret must be encrypted, or neither plan nor deployment starts",
    },
    {
      control: "expiration",
      source: "CIS Azure 8",
      rules: [],
      why: "Barbican does not renew what expires, it stops giving it out, and with it the processor; a new value in the config replaces the secret",
    },
  ],
  identity: [
    {
      control: "nothing that may do everything",
      source: "FSBP IAM.1, IAM.21",
      rules: [
        "identity-disallow-unrestricted",
        "identity-require-access-rules",
        "identity-disallow-wide-access",
        "identity-disallow-admin-role",
        "identity-disallow-domain-roles",
      ],
    },
    {
      control: "no long-lived keys",
      source: "FSBP IAM.3",
      rules: ["identity-require-expiry", "identity-disallow-ec2-keys"],
      why: "a workload's own credential lives as long as the workload, since Keystone cannot renew one; it reaches its stores and secrets only",
    },
    {
      control: "secrets that nobody chose, passwords by the cloud's rules",
      source: "Keystone's documentation",
      rules: ["identity-disallow-chosen-secret", "identity-disallow-password-exceptions"],
    },
    { control: "TLS to the cloud", source: security, rules: ["identity-require-tls"] },
  ],
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
      control: "TLS for callers",
      source: `${fsbp} ELB.1`,
      rules: ["load-balancer-require-tls", "load-balancer-require-certificate"],
    },
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
    { control: "encrypted volume", source: `${fsbp} EC2.3`, rules: ["volume-require-encrypted-type"] },
    {
      control: "no secret in user data",
      source: security,
      rules: ["plain-secret-disallow-in-input", "instance-disallow-config-drive"],
    },
    {
      control: "data that outlives the machine",
      source: security,
      rules: ["volume-require-protection", "volume-disallow-deletion-with-machine", "volume-disallow-public-share"],
    },
    {
      control: "images that are known",
      source: security,
      rules: ["image-require-id", "instance-require-verified-image", "instance-disallow-public-image"],
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
      why: "Magnum has no such setting; the secrets of Cais stay in Barbican",
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
  ],
  database: [
    {
      control: "not public",
      source: `${fsbp} RDS.2`,
      rules: ["database-require-network", "database-disallow-any-host"],
    },
    { control: "encrypted at rest", source: `${fsbp} RDS.3`, rules: [], why: `in Trove, ${operator}` },
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
  processor: [
    {
      control: "no root, no privilege escalation, read-only root, all capabilities dropped, seccomp",
      source: "OWASP Docker; CIS Kubernetes 5.2",
      rules: ["processor-require-least-privilege", "processor-require-unit"],
      why: "Docker's own seccomp profile applies unless it is switched off, which the rule refuses",
    },
    { control: "limits", source: "OWASP Docker rule 7", rules: ["processor-require-limits"] },
    {
      control: "probes",
      source: "Kubernetes' documentation",
      rules: [],
      why: "in a virtual machine systemd restarts what ends; `/healthz` and `/readyz` are there for a target that asks",
    },
    { control: "pinned digest", source: "OWASP Docker rule 13", rules: ["image-require-digest"] },
    {
      control: "no secret in the environment",
      source: "OWASP Docker rule 12",
      rules: ["plain-secret-disallow-in-input"],
    },
    {
      control: "no default namespace",
      source: "CIS Kubernetes 5.7",
      rules: [],
      why: "there is no workload on Kubernetes yet",
    },
  ],
  ...generalControls,
  heat: [
    {
      control: "what a template asks for, held to the rules of its resources",
      source: "Heat's documentation",
      rules: ["heat-require-readable-template", "heat-disallow-unreviewed-resource"],
      why: "every rule about single resources judges those of a template, too, and tells them as `<stack>'s <resource>`; what only Heat works out (functions other than get_param and get_file, attributes, conditions) is not judged, nor are rules about a stack as a whole",
    },
    {
      control: "no secret in a template or a parameter that is shown",
      source: security,
      rules: ["heat-require-hidden-secrets", "plain-secret-disallow-in-input"],
    },
  ],
  files: [
    {
      control:
        "allow-list of formats, size after decompression, generated names, CSV injection, SSRF, a closed SQL engine",
      source: "OWASP File Upload, CSV Injection, SSRF",
      rules: [],
      why: "nothing that is deployed shows it: the processor's own tests hold it",
    },
  ],
};
