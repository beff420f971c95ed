import { ApplicationCredential } from "@pulumi/openstack/identity/applicationCredential.js";
import { validateResourceOfType } from "@pulumi/policy";
import { ifKnown } from "./if-known.ts";
import type { ResourceRule } from "./rule.ts";

/** A path that names neither a container nor a kind of resource, such as `/**` or `/v1/AUTH_*` followed by `/**`. */
const isAnything = (path: string) => /^(\/(v\d[^/]*|AUTH_[^/]*|\*))*\/?\*\*$/.test(path);

export const requireAccessRules: ResourceRule = {
  name: "identity-require-access-rules",
  description: "Application credentials must be limited to the calls that their user makes.",
  severity: "high",
  remediationSteps: "List the calls as access rules (service, method, path) and leave `unrestricted` off.",
  references: [
    {
      name: "Keystone application credentials",
      url: "https://docs.openstack.org/keystone/latest/user/application_credentials.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(ApplicationCredential, ({ unrestricted, accessRules = [] }, { name }, report) => {
      if (unrestricted) report(`${name} must not be unrestricted: whoever holds it could make further credentials.`);
      if (accessRules.length === 0)
        report(`${name} must have access rules; without any it may do all that its owner may.`);
      for (const rule of accessRules) {
        // A path holds a container's name, which a plan may not know yet.
        const path = ifKnown(() => rule.path);
        if (path !== undefined && isAnything(path))
          report(
            `${name} must name what it may reach, and its rule ${rule.service} ${rule.method} ${path} names anything.`,
          );
      }
    }),
  ],
};

export const rules = [requireAccessRules];
