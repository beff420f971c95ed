import { machineControls } from "./controls-machine.ts";

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
  ...machineControls,
  processor: [
    {
      control: "no root, no privilege escalation, read-only root, all capabilities dropped, seccomp",
      source: "OWASP Docker; CIS Kubernetes 5.2",
      rules: ["processor-require-least-privilege", "processor-require-unit"],
      why: "Docker's own seccomp profile applies unless it is switched off, which the rule refuses; a pod must name it",
    },
    { control: "limits", source: "OWASP Docker rule 7", rules: ["processor-require-limits"] },
    {
      control: "probes",
      source: "Kubernetes' documentation",
      rules: ["processor-require-probes"],
      why: "in a virtual machine systemd restarts what ends",
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
      rules: ["processor-disallow-default-namespace"],
    },
    {
      control: "pods kept apart",
      source: "CIS Kubernetes 5.3.2",
      rules: ["processor-require-network-policy"],
    },
  ],
  ...generalControls,
  heat: [
    {
      control: "what a template asks for, held to the rules of its resources",
      source: "Heat's documentation",
      rules: ["heat-require-readable-template", "heat-disallow-unreviewed-resource"],
      why: "every rule judges a template's resources, too, and tells them as `<stack>'s <resource>`: what parameters, files and the functions that join, replace, merge and repeat make of them, and both forms of an `if`; what only Heat works out (attributes, other functions) is not judged",
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
