import { Volume } from "@pulumi/openstack/blockstorage/volume.js";
import { VolumeV1 } from "@pulumi/openstack/blockstorage/volumeV1.js";
import { VolumeV2 } from "@pulumi/openstack/blockstorage/volumeV2.js";
import { Instance } from "@pulumi/openstack/compute/instance.js";
import { Share } from "@pulumi/openstack/sharedfilesystem/share.js";
import { ShareAccess } from "@pulumi/openstack/sharedfilesystem/shareAccess.js";
import { validateResourceOfType } from "@pulumi/policy";
import { validateAskedVolumes } from "./asked-volume.ts";
import { ifKnown, knownItems } from "./if-known.ts";
import { validateProtection } from "./protection.ts";
import { isWide, readRange } from "./range.ts";
import type { ResourceRule } from "./rule.ts";
import { policySettings } from "./settings.ts";

export const requireEncryptedType: ResourceRule = {
  name: "volume-require-encrypted-type",
  description: "Volumes must be of a type that encrypts; only the cloud's operator knows which types do.",
  severity: "high",
  remediationSteps:
    "Name an encrypted volume type (cais:platform.cluster.stateDiskType for the processor's state), and list those that there are in cais:policies.volumeTypes.",
  references: [
    { name: "FSBP EC2.3", url: "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-3" },
    {
      name: "OpenStack, volume encryption",
      url: "https://docs.openstack.org/cinder/latest/configuration/block-storage/volume-encryption.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: validateAskedVolumes(({ subject, type }) => {
    if (type === undefined) return `${subject} must be of a type that encrypts, and names no type.`;
    const { volumeTypes } = policySettings();
    return volumeTypes && !volumeTypes.includes(type)
      ? `${subject} must be of a type that encrypts (${volumeTypes.join(", ")}), and is of ${type}.`
      : undefined;
  }),
};

export const requireProtection: ResourceRule = {
  name: "volume-require-protection",
  description: "Volumes and shares must be protected from deletion.",
  severity: "high",
  remediationSteps:
    "Set `protect: true`. To delete the data, set cais:allowDataDeletion for the stack, and the component's own switch.",
  references: [{ name: "Pulumi, protect", url: "https://www.pulumi.com/docs/iac/concepts/resources/options/protect/" }],
  enforcementLevel: "mandatory",
  validateResource: validateProtection(Volume, VolumeV1, VolumeV2, Share, "kubernetes:core/v1:PersistentVolumeClaim"),
};

export const disallowDeletionWithMachine: ResourceRule = {
  name: "volume-disallow-deletion-with-machine",
  description: "A volume that is attached to a machine must outlive it.",
  severity: "high",
  remediationSteps: "Set deleteOnTermination to false: a machine is replaced more often than its data.",
  references: [
    {
      name: "Nova, block device mapping",
      url: "https://docs.openstack.org/nova/latest/user/block-device-mapping.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Instance, (instance, { name }, report) => {
      for (const [index, device] of knownItems(() => instance.blockDevices).entries())
        if (ifKnown(() => device.sourceType === "volume" && device.deleteOnTermination === true))
          report(`${name} must leave its volumes behind, and its disk ${index + 1} goes when it goes.`);
    }),
  ],
};

export const disallowPublicShare: ResourceRule = {
  name: "volume-disallow-public-share",
  description: "A file share must be open to named clients only.",
  severity: "critical",
  remediationSteps: "Leave isPublic off, and name each client or range, none wider than /8 (IPv6: /7).",
  references: [
    {
      name: "Manila, share access",
      url: "https://docs.openstack.org/api-ref/shared-file-system/#share-access-rules-since-api-v2-45",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Share, (share, { name }, report) => {
      if (ifKnown(() => share.isPublic)) report(`${name} must not be shown to every project.`);
    }),
    validateResourceOfType(ShareAccess, (access, { name }, report) => {
      const to = ifKnown(() => (access.accessType === "ip" ? access.accessTo : undefined));
      const range = to === undefined ? undefined : readRange(to);
      if (range && isWide(range)) report(`${name} must not let in everyone, and its range is ${to}.`);
    }),
  ],
};

export const rules = [requireEncryptedType, requireProtection, disallowDeletionWithMachine, disallowPublicShare];
