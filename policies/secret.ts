import { ContainerV1 } from "@pulumi/openstack/keymanager/containerV1.js";
import { OrderV1 } from "@pulumi/openstack/keymanager/orderV1.js";
import { SecretV1 } from "@pulumi/openstack/keymanager/secretV1.js";
import { type ReportViolation, validateResourceOfType } from "@pulumi/policy";
import { ifKnown } from "./if-known.ts";
import { secretKeys } from "./metadata.ts";
import type { ResourceRule } from "./rule.ts";

const barbicanAcls = {
  name: "Barbican ACLs",
  url: "https://docs.openstack.org/barbican/latest/api/reference/acls.html",
};
const guide = {
  name: "OpenStack Security Guide, Secrets",
  url: "https://docs.openstack.org/security-guide/secrets-management.html",
};

/** Barbican looks at `users` only where the project as a whole has no access. */
interface Acl {
  read?: { projectAccess?: boolean; users?: string[] };
}

function tellAcl(resource: { acl?: Acl }, name: string, report: ReportViolation): void {
  const open = ifKnown(() => resource.acl?.read !== undefined && resource.acl.read.projectAccess !== false);
  if (open) report(`${name} must be read only by whom its ACL names, and the ACL leaves projectAccess on.`);
}

export const disallowProjectAccess: ResourceRule = {
  name: "secret-disallow-project-access",
  description: "An ACL of a secret must keep the rest of the project out.",
  severity: "medium",
  remediationSteps: "Set `acl.read.projectAccess` to false and name the users, or drop the ACL.",
  references: [barbicanAcls],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(SecretV1, (secret, { name }, report) => tellAcl(secret, name, report)),
    validateResourceOfType(ContainerV1, (container, { name }, report) => tellAcl(container, name, report)),
  ],
};

/** The shortest keys, in bits, that NIST still accepts, by algorithm; 0 for those that it does not accept at all. */
const shortest: Readonly<Record<string, number>> = {
  aes: 128,
  des: 0,
  "3des": 0,
  desede: 0,
  rc2: 0,
  rc4: 0,
  md5: 0,
  dsa: 0,
  rsa: 2048,
  ec: 224,
};

function tellKey(key: { algorithm?: string; bitLength?: number }, name: string, report: ReportViolation): void {
  const algorithm = ifKnown(() => key.algorithm)?.toLowerCase();
  const least = algorithm === undefined ? undefined : shortest[algorithm];
  const bits = ifKnown(() => key.bitLength);
  if (least === 0) report(`${name} must use an algorithm that is still accepted, and uses ${algorithm}.`);
  else if (least !== undefined && bits !== undefined && bits < least)
    report(`${name} must have a key of at least ${least} bits for ${algorithm}, and has ${bits}.`);
}

export const disallowWeakKeys: ResourceRule = {
  name: "secret-disallow-weak-keys",
  description: "Keys must be of an algorithm and a length that are still accepted.",
  severity: "high",
  remediationSteps: "Take AES with 256 bits, RSA with 3072 or more, or an elliptic curve with 256 or more.",
  references: [{ name: "NIST SP 800-131A", url: "https://csrc.nist.gov/pubs/sp/800/131/a/r2/final" }],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(SecretV1, (secret, { name }, report) => tellKey(secret, name, report)),
    validateResourceOfType(OrderV1, (order, { name }, report) =>
      tellKey(ifKnown(() => order.meta) ?? {}, name, report),
    ),
  ],
};

export const disallowSecretMetadata: ResourceRule = {
  name: "secret-disallow-secret-metadata",
  description: "What is kept in plain beside a secret must hold none.",
  severity: "high",
  remediationSteps: "Make it the payload of a secret of its own and drop the key.",
  references: [guide],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(SecretV1, (secret, { name }, report) => {
      for (const key of secretKeys(ifKnown(() => secret.metadata)))
        report(`${name} must hold no secret in its metadata, and has ${key}.`);
    }),
  ],
};

export const rules = [disallowProjectAccess, disallowWeakKeys, disallowSecretMetadata];
