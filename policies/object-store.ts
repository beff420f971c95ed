import { Container } from "@pulumi/openstack/objectstorage/container.js";
import { type ResourceValidationPolicy, validateResourceOfType } from "@pulumi/policy";

/** https://docs.openstack.org/swift/latest/overview_acl.html: `.r:` grants by referrer, that is to anyone; `*` is any user or project. */
const grantsAnyone = (acl: string) => acl.split(",").some((part) => /^\s*\.r(listings|:)|\*/.test(part));

export const disallowPublicAccess: ResourceValidationPolicy = {
  name: "object-store-disallow-public-access",
  description: "Object stores must not be readable or writable by the public.",
  severity: "critical",
  remediationSteps: "Drop the ACL, or name the projects and users that may read or write.",
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Container, ({ containerRead, containerWrite }, { name }, report) => {
      if (containerRead && grantsAnyone(containerRead))
        report(`${name} must not be readable by anyone, and its read ACL is "${containerRead}".`);
      if (containerWrite && grantsAnyone(containerWrite))
        report(`${name} must not be writable by anyone, and its write ACL is "${containerWrite}".`);
    }),
  ],
};

const tags = ["owner", "stack", "environment", "cost-centre"];

export const requireOwner: ResourceValidationPolicy = {
  name: "object-store-require-owner",
  description: "Object stores must say whose they are and who pays for them.",
  severity: "medium",
  remediationSteps: `Give it the tags ${tags.join(", ")}.`,
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Container, ({ metadata }, { name }, report) => {
      const missing = tags.filter((tag) => !metadata?.[tag]);
      if (missing.length > 0)
        report(`${name} must carry the tags ${tags.join(", ")}, and lacks ${missing.join(", ")}.`);
    }),
  ],
};
