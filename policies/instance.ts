import { Instance } from "@pulumi/openstack/compute/instance.js";
import { InterfaceAttach } from "@pulumi/openstack/compute/interfaceAttach.js";
import { Keypair } from "@pulumi/openstack/compute/keypair.js";
import { Image } from "@pulumi/openstack/images/image.js";
import { validateResourceOfType } from "@pulumi/policy";
import { readable } from "./encoded.ts";
import { ifKnown, knownItems } from "./if-known.ts";
import { disallowPublicAddress } from "./instance-address.ts";
import type { ResourceRule } from "./rule.ts";

/**
 * What lets people log in with a password: keys of cloud-init, commands, and what a server of SSH is told. A reference
 * (`*name`) may be anything. https://docs.cloudinit.io/en/latest/reference/modules.html
 */
const passwordLogins = [
  /(?<![\w-])ssh_pwauth["']?\s*:\s*(?:!!\w+\s+)?["']?(?:true|yes|on|1|\*\w+)(?!\w)/i,
  /(?<![\w-])(?:chpasswd|plain_text_passwd|hashed_passwd|passwd)["']?\s*:\s*(?!null\b|~|["']?[!*])[^\s#]/i,
  /(?<![\w-])chpasswd["']?\s*:\s*\n/i,
  /^["']?password["']?\s*:\s*[^\s#]/m,
  /^#cloud-config\s*\{[^]*["']password["']\s*:/,
  /\|\s*(?:sudo\s+)?(?:\/[\w./-]{0,100}\/)?chpasswd\b|\bchpasswd\s*(?:-\w+\s*)*<|\bpasswd\s+--stdin\b/,
  /\buser(?:add|mod)\s(?:[^\n;&|]{0,300}\s)?(?:-p|--password)[\s=]/,
  /\bPasswordAuthentication(?<!#\s*PasswordAuthentication)\s+yes\b/i,
];

/** A comment says nothing but that what follows is for cloud-init. */
const withoutComments = (text: string) => text.replaceAll(/^[ \t]*#(?!cloud-config|!).*$/gm, "");

export const disallowPasswordLogin: ResourceRule = {
  name: "instance-disallow-password-login",
  description: "Nobody must log in to a machine with a password.",
  severity: "high",
  remediationSteps: "Drop adminPass, and what sets passwords or ssh_pwauth in the user data.",
  references: [
    { name: "Checkov CKV_OPENSTACK_4", url: "https://www.checkov.io/5.Policy%20Index/terraform.html" },
    { name: "CIS Debian 12 5.1", url: "https://www.cisecurity.org/benchmark/debian_linux" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Instance, (instance, { name }, report) => {
      // A password that is not known yet is one, too.
      if ("adminPass" in instance && ifKnown(() => instance.adminPass) !== "")
        report(
          `${name} must not have an administrator's password: the state keeps it for as long as the machine lives.`,
        );
      const userData = withoutComments(readable(ifKnown(() => instance.userData) ?? ""));
      if (passwordLogins.some((login) => login.test(userData)))
        report(`${name} must not let anyone log in with a password, and its user data does.`);
    }),
  ],
};

export const disallowKeyPair: ResourceRule = {
  name: "instance-disallow-key-pair",
  description: "Nobody must log in to a machine: what it runs is replaced, not repaired.",
  severity: "medium",
  remediationSteps:
    "Drop keyPair. Where people must log in, allow it for an environment in cais:policies.levels, or for a time by an exemption.",
  references: [
    {
      name: "Well-Architected SEC06-BP03",
      url: "https://docs.aws.amazon.com/wellarchitected/latest/security-pillar/sec_protect_compute_reduce_manual_management.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Instance, (instance, { name }, report) => {
      // Which pair it is may be unknown yet.
      if ("keyPair" in instance && ifKnown(() => instance.keyPair) !== "")
        report(`${name} must not have a key pair: nobody logs in to it.`);
    }),
  ],
};

export const disallowGeneratedKey: ResourceRule = {
  name: "instance-disallow-generated-key",
  description:
    "A key pair must hold a public key that its owner made: a private key that Nova makes is in the state for all who read it.",
  severity: "high",
  remediationSteps: "Make the pair where it is used (ssh-keygen -t ed25519) and set publicKey.",
  references: [{ name: "Nova, key pairs", url: "https://docs.openstack.org/api-ref/compute/#keypairs-keypairs" }],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Keypair, (pair, { name }, report) => {
      const key = ifKnown(() => pair.publicKey ?? "");
      if (key === "") report(`${name} must hold its owner's public key, and has Nova make a private one.`);
      else if (key?.startsWith("ssh-dss")) report(`${name} must not hold a DSA key, which OpenSSH refuses since 7.0.`);
    }),
  ],
};

export const disallowConfigDrive: ResourceRule = {
  name: "instance-disallow-config-drive",
  description:
    "User data must not stay on a disk: a config drive is kept in plain text for as long as the machine lives.",
  severity: "low",
  remediationSteps: "Drop configDrive where the cloud has a metadata service, and keep containers from that service.",
  references: [{ name: "Nova, config drives", url: "https://docs.openstack.org/nova/latest/admin/config-drive.html" }],
  enforcementLevel: "advisory",
  validateResource: [
    validateResourceOfType(Instance, (instance, { name }, report) => {
      if (ifKnown(() => instance.configDrive)) report(`${name} must not have a config drive: it keeps the user data.`);
    }),
  ],
};

export const requireSecurityGroup: ResourceRule = {
  name: "instance-require-security-group",
  description:
    "A machine must be in security groups of its own, and not in the project's default one, which anyone may widen.",
  severity: "high",
  remediationSteps: "Give it a port with securityGroupIds, or name its groups in securityGroups.",
  references: [
    { name: "FSBP EC2.2", url: "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-2" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Instance, (instance, { name }, report) => {
      // A port has groups of its own. Nova connects a machine without networks to those of the project.
      const bare = ifKnown(() => {
        const networks = instance.networks ?? [];
        return networks.length === 0 || networks.some((network) => !("port" in network));
      });
      if (!bare) return;
      const groups = ifKnown(() => instance.securityGroups ?? []);
      if (groups?.length === 0) report(`${name} must name its security groups, and gets the project's default one.`);
      if (knownItems(() => groups).includes("default"))
        report(`${name} must not be in the project's default security group.`);
    }),
    validateResourceOfType(InterfaceAttach, (attached, { name }, report) => {
      if (!("portId" in attached))
        report(`${name} must attach a port with groups of its own, and gets the default one.`);
    }),
  ],
};

export const disallowPublicImage: ResourceRule = {
  name: "instance-disallow-public-image",
  description: "Images that machines boot from must be open to this project alone.",
  severity: "medium",
  remediationSteps: "Set visibility to private, or to shared with projects that imageAccess names.",
  references: [
    { name: "Glance, image visibility", url: "https://docs.openstack.org/api-ref/image/v2/#image-visibility" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Image, (image, { name }, report) => {
      const visibility = ifKnown(() => image.visibility);
      if (visibility === "public" || visibility === "community")
        report(`${name} must not be open to every project, and its visibility is ${visibility}.`);
    }),
  ],
};

export const requireVerifiedImage: ResourceRule = {
  name: "instance-require-verified-image",
  description: "An image must be fetched over TLS, and its checksum verified.",
  severity: "high",
  remediationSteps: "Fetch it by https, and leave verifyChecksum on.",
  references: [
    {
      name: "OpenStack security guide, images",
      url: "https://docs.openstack.org/security-guide/instance-management/security-services-for-instances.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Image, (image, { name }, report) => {
      const source = ifKnown(() => image.imageSourceUrl);
      if (source !== undefined && /^(?!https:)\w+:/i.test(source))
        report(`${name} must be fetched by https, and is by ${source.slice(0, source.indexOf(":"))}.`);
      if (ifKnown(() => image.verifyChecksum) === false)
        report(`${name} must have its checksum verified, and has not.`);
    }),
  ],
};

export const rules = [
  disallowPublicAddress,
  disallowPasswordLogin,
  disallowKeyPair,
  disallowGeneratedKey,
  disallowConfigDrive,
  requireSecurityGroup,
  disallowPublicImage,
  requireVerifiedImage,
];
