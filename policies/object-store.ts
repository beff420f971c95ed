import { Container } from "@pulumi/openstack/objectstorage/container.js";
import { validateResourceOfType } from "@pulumi/policy";
import type { ResourceRule } from "./rule.ts";

/**
 * An item that grants by referrer (`.r:` and its longer spellings), which anyone may write, or to every project: `*` and
 * `*:<user>`. `<project>:*` is all of one project: https://docs.openstack.org/swift/latest/overview_acl.html
 */
const anyone = /^(\.(r|ref|referer|referrer)\s*:|\.rlistings$|\*\s*(:|$))/;

const grantsAnyone = (acl: string) => acl.split(",").some((item) => anyone.test(item.trim()));

export const disallowPublicAccess: ResourceRule = {
  name: "object-store-disallow-public-access",
  description: "Object stores must not be readable or writable by the public.",
  severity: "critical",
  remediationSteps:
    "Drop the ACL, or name who may read or write: <project>:<user>, or <project>:* for all of one project.",
  references: [
    { name: "Swift ACLs", url: "https://docs.openstack.org/swift/latest/overview_acl.html" },
    { name: "FSBP S3.8", url: "https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html#s3-8" },
  ],
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

export const requireOwner: ResourceRule = {
  name: "object-store-require-owner",
  description: "Object stores must say whose they are and who pays for them.",
  severity: "medium",
  remediationSteps: `Give it the tags ${tags.join(", ")}.`,
  references: [
    {
      name: "Well-Architected COST03-BP02",
      url: "https://docs.aws.amazon.com/wellarchitected/latest/framework/cost_monitor_usage_org_information.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Container, ({ metadata }, { name }, report) => {
      const missing = tags.filter((tag) => !metadata?.[tag]);
      if (missing.length > 0)
        report(`${name} must carry the tags ${tags.join(", ")}, and lacks ${missing.join(", ")}.`);
    }),
  ],
};

export const rules = [disallowPublicAccess, requireOwner];
