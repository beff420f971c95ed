import { PolicyPack } from "@pulumi/policy";
import { disallowOpenIngress } from "./network.ts";
import { disallowPublicAccess, requireOwner } from "./object-store.ts";
import { requireAccessRules, requireImageDigest } from "./processor.ts";

export const pack = new PolicyPack("cais", {
  policies: [disallowPublicAccess, requireOwner, disallowOpenIngress, requireAccessRules, requireImageDigest],
});
