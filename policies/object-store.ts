import { Container } from "@pulumi/openstack/objectstorage/container.js";
import { ContainerObject } from "@pulumi/openstack/objectstorage/containerObject.js";
import { TempUrl } from "@pulumi/openstack/objectstorage/tempUrl.js";
import { validateResourceOfType } from "@pulumi/policy";
import * as pulumi from "@pulumi/pulumi";
import { ifKnown, knownEntries } from "./if-known.ts";
import { secretKeys } from "./metadata.ts";
import type { ResourceRule } from "./rule.ts";

/**
 * An item that grants by referrer (`.r:` and its longer spellings), which anyone may write, or to every project: `*` and
 * `*:<user>`. `<project>:*` is all of one project: https://docs.openstack.org/swift/latest/overview_acl.html
 */
const anyone = /^(\.(r|ref|referer|referrer)\s*:|\.rlistings$|\*\s*(:|$))/;

const grantsAnyone = (acl: string) => acl.split(",").some((item) => anyone.test(item.trim()));

const acls = { name: "Swift ACLs", url: "https://docs.openstack.org/swift/latest/overview_acl.html" };
const fsbp = (control: `S3.${number}`) => ({
  name: `FSBP ${control}`,
  url: `https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html#${control.toLowerCase().replace(".", "-")}`,
});

export const disallowPublicAccess: ResourceRule = {
  name: "object-store-disallow-public-access",
  description: "Object stores must not be readable or writable by the public.",
  severity: "critical",
  remediationSteps:
    "Drop the ACL, or name who may read or write: <project>:<user>, or <project>:* for all of one project.",
  references: [acls, fsbp("S3.8")],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Container, (container, { name }, report) => {
      const read = ifKnown(() => container.containerRead);
      const write = ifKnown(() => container.containerWrite);
      if (read && grantsAnyone(read))
        report(`${name} must not be readable by anyone, and its read ACL is ${JSON.stringify(read)}.`);
      if (write && grantsAnyone(write))
        report(`${name} must not be writable by anyone, and its write ACL is ${JSON.stringify(write)}.`);
    }),
  ],
};

/** Roles of stores whose objects can be made again: from the input, or by the next deployment. */
const madeAgain = ["lake", "output", "workloads"];

export const requireVersioning: ResourceRule = {
  name: "object-store-require-versioning",
  description: "Object stores whose data cannot be made again must keep what is overwritten or deleted.",
  severity: "high",
  remediationSteps: `Set \`versioning: true\`, or say by the tag role that its objects can be made again: ${madeAgain.join(", ")}.`,
  references: [
    { name: "Swift object versioning", url: "https://docs.openstack.org/swift/latest/api/object_versioning.html" },
    fsbp("S3.14"),
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Container, (container, { name }, report) => {
      const lost = ifKnown(
        () =>
          container.versioning !== true &&
          !("versioningLegacy" in container) &&
          !madeAgain.includes(String(container.metadata?.["role"])),
      );
      if (lost)
        report(
          `${name} must keep the versions of its objects, and neither does so nor has one of the roles ${madeAgain.join(", ")}.`,
        );
    }),
  ],
};

export const requireProtection: ResourceRule = {
  name: "object-store-require-protection",
  description: "Object stores must not be deleted with their data, unless the environment allows it.",
  severity: "high",
  remediationSteps:
    "Set `protect: true` and leave `forceDestroy` off; to delete data on purpose, set cais:allowDataDeletion as well.",
  references: [
    { name: "Pulumi protect", url: "https://www.pulumi.com/docs/iac/concepts/resources/options/protect/" },
    fsbp("S3.20"),
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Container, (container, { name, opts }, report) => {
      if (ifKnown(() => container.metadata?.["role"] === "workloads") !== false) return;
      if (new pulumi.Config("cais").getBoolean("allowDataDeletion")) return;
      if (ifKnown(() => container.forceDestroy))
        report(`${name} must not be deleted with its objects, and has forceDestroy.`);
      if (!opts.protect) report(`${name} must be protected, and a deployment may delete it.`);
    }),
  ],
};

export const requireQuota: ResourceRule = {
  name: "object-store-require-quota",
  description: "Object stores that others may write into must have a limit.",
  severity: "medium",
  remediationSteps: "Give its metadata quota-bytes and quota-count, each a whole number.",
  references: [
    {
      name: "Swift container quotas",
      url: "https://docs.openstack.org/swift/latest/middleware.html#module-swift.common.middleware.container_quotas",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Container, (container, { name }, report) => {
      // An ACL that is not known yet is one, too.
      const shared = "containerWrite" in container && ifKnown(() => container.containerWrite) !== "";
      const quotas = new Map(
        knownEntries(ifKnown(() => container.metadata)).map(([key, value]) => [key.toLowerCase(), value]),
      );
      for (const quota of ["quota-bytes", "quota-count"]) {
        const limit = quotas.get(quota);
        if (limit !== undefined && !/^\d+$/.test(String(limit)))
          report(`${name} must have a whole number as its ${quota}, and has "${String(limit)}".`);
        if (shared && !quotas.has(quota)) report(`${name} must have a ${quota}, since others may write into it.`);
      }
    }),
  ],
};

export const disallowTempUrlKey: ResourceRule = {
  name: "object-store-disallow-temp-url-key",
  description: "Object stores must have no key for temporary URLs in their metadata.",
  severity: "high",
  remediationSteps:
    "Drop the key and let users send and fetch files through Cais; an operator who needs one sets it outside of the program.",
  references: [
    { name: "Swift temporary URLs", url: "https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Container, (container, { name }, report) => {
      for (const key of Object.keys(ifKnown(() => container.metadata) ?? {}))
        if (/^temp[-_]url[-_]key([-_]2)?$/i.test(key))
          report(`${name} must have no ${key}: whoever holds it can sign a URL to any of its objects.`);
    }),
  ],
};

/** A day, in seconds: what a reader of a link needs at most. */
const longestTempUrl = 86_400;

export const disallowLastingTempUrl: ResourceRule = {
  name: "object-store-disallow-lasting-temp-url",
  description: "Temporary URLs must only read, and end within a day.",
  severity: "high",
  remediationSteps: `Set \`method\` to get or head and \`ttl\` to at most ${longestTempUrl}.`,
  references: [
    { name: "Swift temporary URLs", url: "https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(TempUrl, (url, { name }, report) => {
      const method = ifKnown(() => url.method) ?? "get";
      const ttl = ifKnown(() => url.ttl) ?? 0;
      if (!/^(get|head)$/i.test(method)) report(`${name} must only read, and its method is ${method}.`);
      if (ttl > longestTempUrl)
        report(`${name} must end within ${longestTempUrl} seconds, and lasts ${ttl}: it cannot be taken back.`);
    }),
  ],
};

export const disallowSync: ResourceRule = {
  name: "object-store-disallow-sync",
  description: "Object stores must not be copied to another cluster.",
  severity: "high",
  remediationSteps: "Drop containerSyncTo and containerSyncKey; a copy elsewhere is a sink of a stack.",
  references: [
    { name: "Swift container sync", url: "https://docs.openstack.org/swift/latest/overview_container_sync.html" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Container, (container, { name }, report) => {
      if ("containerSyncTo" in container && ifKnown(() => container.containerSyncTo) !== "")
        report(
          `${name} must stay where it is, and is copied to ${ifKnown(() => container.containerSyncTo) ?? "another container"}.`,
        );
      if ("containerSyncKey" in container && ifKnown(() => container.containerSyncKey) !== "")
        report(`${name} must take no copies from elsewhere, and has a containerSyncKey.`);
    }),
  ],
};

export const disallowSecretMetadata: ResourceRule = {
  name: "object-store-disallow-secret-metadata",
  description: "Metadata must hold no secret: everyone who may read an object reads it.",
  severity: "high",
  remediationSteps: "Put the value in a secret (cais:secrets.<stack>.<name>) and drop the key.",
  references: [
    { name: "OpenStack Security Guide", url: "https://docs.openstack.org/security-guide/secrets-management.html" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Container, (container, { name }, report) => {
      for (const key of secretKeys(ifKnown(() => container.metadata)))
        report(`${name} must hold no secret in its metadata, and has ${key}.`);
    }),
    validateResourceOfType(ContainerObject, (object, { name }, report) => {
      for (const key of secretKeys(ifKnown(() => object.metadata)))
        report(`${name} must hold no secret in its metadata, and has ${key}.`);
    }),
  ],
};

export const rules = [
  disallowPublicAccess,
  requireVersioning,
  requireProtection,
  requireQuota,
  disallowTempUrlKey,
  disallowLastingTempUrl,
  disallowSync,
  disallowSecretMetadata,
];
