import { Volume } from "@pulumi/openstack/blockstorage/volume.js";
import { Instance } from "@pulumi/openstack/compute/instance.js";
import { ApplicationCredential } from "@pulumi/openstack/identity/applicationCredential.js";
import { SecGroup } from "@pulumi/openstack/networking/secGroup.js";
import { SecGroupRule } from "@pulumi/openstack/networking/secGroupRule.js";
import { Container } from "@pulumi/openstack/objectstorage/container.js";

// Breaks policies of most nouns, in ways that a provider's Check lets pass: what the policies are tried on themselves
// holds more than a preview would take.
const container = new Container("public", { containerRead: ".r:*,.rlistings", versioning: false });
const group = new SecGroup("open", { description: "anybody may call" });
const ingress = new SecGroupRule("ssh", {
  securityGroupId: group.id,
  direction: "ingress",
  ethertype: "IPv4",
  protocol: "tcp",
  portRangeMin: 22,
  portRangeMax: 22,
  remoteIpPrefix: "0.0.0.0/0",
});
const credential = new ApplicationCredential("wide", { unrestricted: true });
const volume = new Volume("plain", { size: 1 });
const machine = new Instance("machine", {
  flavorName: "m1.large",
  keyPair: "somebody",
  networks: [{ uuid: "00000000-0000-4000-8000-000000000003" }],
  userData: "#!/bin/sh\nexport DB_PASSWORD=correct-horse-battery-staple\n",
});

export const made = [container, group, ingress, credential, volume, machine].length;
