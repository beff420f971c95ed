import { ApplicationCredential } from "@pulumi/openstack/identity/applicationCredential.js";
import { Ec2CredentialV3 } from "@pulumi/openstack/identity/ec2CredentialV3.js";
import { EndpointV3 } from "@pulumi/openstack/identity/endpointV3.js";
import { InheritRoleAssignment } from "@pulumi/openstack/identity/inheritRoleAssignment.js";
import { RoleAssignment } from "@pulumi/openstack/identity/roleAssignment.js";
import { User } from "@pulumi/openstack/identity/user.js";
import { type ReportViolation, validateResourceOfType } from "@pulumi/policy";
import { ifKnown, knownItems } from "./if-known.ts";
import type { ResourceRule } from "./rule.ts";

const credentials = {
  name: "Keystone application credentials",
  url: "https://docs.openstack.org/keystone/latest/user/application_credentials.html",
};
const checklist = {
  name: "OpenStack Security Guide, Identity",
  url: "https://docs.openstack.org/security-guide/identity/checklist.html",
};
const iam = (control: number) => ({
  name: `FSBP IAM.${control}`,
  url: `https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html#iam-${control}`,
});

export const disallowUnrestricted: ResourceRule = {
  name: "identity-disallow-unrestricted",
  description: "Application credentials must not be able to make further ones.",
  severity: "critical",
  remediationSteps: "Leave `unrestricted` off.",
  references: [credentials],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ApplicationCredential, (credential, { name }, report) => {
      if (ifKnown(() => credential.unrestricted))
        report(`${name} must not be unrestricted: whoever holds it could make further credentials.`);
    }),
  ],
};

export const requireAccessRules: ResourceRule = {
  name: "identity-require-access-rules",
  description: "Application credentials must be limited to the calls that their user makes.",
  severity: "high",
  remediationSteps: "List the calls as access rules (service, method, path).",
  references: [credentials, iam(21)],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ApplicationCredential, (credential, { name }, report) => {
      const rules = ifKnown(() => credential.accessRules ?? []);
      if (rules?.length === 0) report(`${name} must have access rules; without any it may do all that its owner may.`);
    }),
  ],
};

const isOpen = (part: string) => /^(\*\*?|\{.*\})$/.test(part);

/**
 * Whether a path names neither a container nor a kind of resource, such as `/**`, or `/v1/AUTH_*` followed by `/*`. `*` and
 * a name in braces stand for one part, `**` for several. Swift's second part is the account alone.
 */
function isAnything(path: string, service: string | undefined): boolean {
  const parts = path.split("/").filter((part) => part !== "" && !/^v\d/.test(part));
  const ofAccount = parts.filter((part) => !part.startsWith("AUTH_"));
  if (!ofAccount.every(isOpen)) return false;
  const account = service === "object-store" && ofAccount.length === parts.length ? 1 : 0;
  return ofAccount.includes("**") || ofAccount.length > account;
}

export const disallowWideAccess: ResourceRule = {
  name: "identity-disallow-wide-access",
  description: "Application credentials must name what they may reach.",
  severity: "high",
  remediationSteps: "Name the container, or at least the kind of resource, in the path of each access rule.",
  references: [credentials, iam(1)],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ApplicationCredential, (credential, { name }, report) => {
      for (const rule of knownItems(() => credential.accessRules)) {
        // A path holds a container's name, which a plan may not know yet.
        const path = ifKnown(() => rule.path);
        const service = ifKnown(() => rule.service);
        if (path !== undefined && isAnything(path, service))
          report(
            `${name} must name what it may reach, and its rule ${service} ${ifKnown(() => rule.method)} ${path} names anything.`,
          );
      }
    }),
  ],
};

/** Services of which a workload makes use. What may call any other one can change what is deployed. */
const used = ["object-store", "key-manager"];

export const requireExpiry: ResourceRule = {
  name: "identity-require-expiry",
  description: "Application credentials that can change what is deployed must end.",
  severity: "medium",
  remediationSteps: `Set \`expiresAt\`, or allow calls to ${used.join(" and ")} only.`,
  references: [credentials, iam(3)],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ApplicationCredential, (credential, { name }, report) => {
      if ("expiresAt" in credential && ifKnown(() => credential.expiresAt) !== "") return;
      const services = knownItems(() => credential.accessRules).flatMap((rule) => ifKnown(() => rule.service) ?? []);
      const others = [...new Set(services)].filter((service) => !used.includes(service));
      if (others.length > 0) report(`${name} must have an expiresAt, since it may call ${others.join(", ")}.`);
    }),
  ],
};

export const disallowAdminRole: ResourceRule = {
  name: "identity-disallow-admin-role",
  description: "Application credentials must not hold an administrator's role.",
  severity: "critical",
  remediationSteps: "Name a role that the calls need, such as member or reader.",
  references: [checklist, iam(1)],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ApplicationCredential, (credential, { name }, report) => {
      for (const role of knownItems(() => credential.roles))
        if (/^(.*[-_ ])?(admin|administrator)([-_ ].*)?$/i.test(role))
          report(`${name} must not have an administrator's role, and has ${role}.`);
    }),
  ],
};

export const disallowChosenSecret: ResourceRule = {
  name: "identity-disallow-chosen-secret",
  description: "Application credentials must have a secret that Keystone made.",
  severity: "high",
  remediationSteps: "Leave `secret` out and take the resource's output of that name.",
  references: [credentials],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ApplicationCredential, (credential, { name }, report) => {
      if ("secret" in credential) report(`${name} must leave its secret to Keystone, and brings one.`);
    }),
  ],
};

export const disallowEc2Keys: ResourceRule = {
  name: "identity-disallow-ec2-keys",
  description: "There must be no EC2 keys: they neither end nor can be limited.",
  severity: "high",
  remediationSteps: "Use an application credential with access rules.",
  references: [
    { name: "Keystone EC2 credentials", url: "https://docs.openstack.org/api-ref/identity/v3/#credentials" },
    iam(3),
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Ec2CredentialV3, (_, { name }, report) =>
      report(`${name} must be an application credential: an EC2 key never ends and may do all that its owner may.`),
    ),
  ],
};

const exceptions = ["ignorePasswordExpiry", "ignoreLockoutFailureAttempts"] as const;

export const disallowPasswordExceptions: ResourceRule = {
  name: "identity-disallow-password-exceptions",
  description: "Users must keep the cloud's rules about passwords.",
  severity: "medium",
  remediationSteps: `Leave ${exceptions.join(" and ")} off.`,
  references: [
    {
      name: "Keystone security compliance",
      url: "https://docs.openstack.org/keystone/latest/admin/configuration.html#security-compliance-and-pci-dss",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(User, (user, { name }, report) => {
      for (const exception of exceptions)
        if (ifKnown(() => user[exception]))
          report(`${name} must keep the rules about passwords, and has ${exception}.`);
    }),
  ],
};

function tellDomain(assignment: { domainId?: string }, name: string, report: ReportViolation): void {
  if ("domainId" in assignment && ifKnown(() => assignment.domainId) !== "")
    report(`${name} must give its role on a project, and gives it on a whole domain.`);
}

export const disallowDomainRoles: ResourceRule = {
  name: "identity-disallow-domain-roles",
  description: "Roles must be given on a project, not on a whole domain.",
  severity: "high",
  remediationSteps: "Set `projectId` instead of `domainId`.",
  references: [checklist, iam(1)],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(RoleAssignment, (assignment, { name }, report) => tellDomain(assignment, name, report)),
    validateResourceOfType(InheritRoleAssignment, (assignment, { name }, report) =>
      tellDomain(assignment, name, report),
    ),
  ],
};

const isPlain = (address: unknown): address is string => typeof address === "string" && /^http:/i.test(address);

export const requireTls: ResourceRule = {
  name: "identity-require-tls",
  description: "The cloud must be called over TLS, and its certificate checked.",
  severity: "high",
  remediationSteps:
    "Give https addresses, leave openstack:insecure off and name a private authority in openstack:cacertFile.",
  references: [
    checklist,
    { name: "FSBP S3.5", url: "https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html#s3-5" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    ({ type, name, props }, report) => {
      if (type !== "pulumi:providers:openstack") return;
      const inputs: Readonly<Record<string, unknown>> = props;
      const authUrl = ifKnown(() => inputs["authUrl"]);
      if (isPlain(authUrl)) report(`${name} must call Keystone over TLS, and its authUrl is ${authUrl}.`);
      // A provider's inputs are texts: what is none is written as JSON.
      if (String(ifKnown(() => inputs["insecure"])) === "true")
        report(`${name} must check certificates, and is insecure.`);
      const overrides = ifKnown(() => inputs["endpointOverrides"]);
      for (const [, address] of typeof overrides === "string" ? overrides.matchAll(/"(http:[^"]*)"/gi) : [])
        report(`${name} must call every service over TLS, and one is at ${address}.`);
    },
    validateResourceOfType(EndpointV3, (endpoint, { name }, report) => {
      const url = ifKnown(() => endpoint.url);
      if (isPlain(url)) report(`${name} must offer its service over TLS, and its url is ${url}.`);
    }),
  ],
};

export const rules = [
  disallowUnrestricted,
  requireAccessRules,
  disallowWideAccess,
  requireExpiry,
  disallowAdminRole,
  disallowChosenSecret,
  disallowEc2Keys,
  disallowPasswordExceptions,
  disallowDomainRoles,
  requireTls,
];
