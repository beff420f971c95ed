import { ContainerObject } from "@pulumi/openstack/objectstorage/containerObject.js";
import { ifKnown } from "./if-known.ts";
import { disallowDefaultNamespace, requireNetworkPolicy, requireProbes } from "./processor-pod.ts";
import { requireLeastPrivilege, requireLimits } from "./processor-unit.ts";
import type { StackRule } from "./rule.ts";

const runsContainer = /^Exec\w+=\S*docker run /m;

export const requireUnit: StackRule = {
  name: "processor-require-unit",
  description: "Every workload must come with its unit, and the unit must run it in a container.",
  severity: "high",
  remediationSteps:
    "Write <workload>.service beside <workload>.json, with a `docker run`, as the processor component does.",
  references: [
    {
      name: "OWASP Docker rules 2 to 8",
      url: "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateStack({ resources }, report) {
    const objects = resources.flatMap((resource) => {
      const props = resource.asType(ContainerObject);
      const name = ifKnown(() => props?.name ?? "") ?? "";
      return props ? [{ resource, name, content: ifKnown(() => props.content ?? "") }] : [];
    });
    for (const { resource, name, content } of objects) {
      if (name.endsWith(".json")) {
        const unit = name.replace(/\.json$/, ".service");
        const siblings = objects.filter((other) => other.resource.parent?.urn === resource.parent?.urn);
        if (!siblings.some((other) => other.name === unit))
          report(`${resource.name} must come with its unit, and there is no ${unit} beside ${name}.`, resource.urn);
      }
      if (!name.endsWith(".service")) continue;
      if (content !== undefined && !runsContainer.test(content))
        report(`${resource.name} must run a container, and its unit runs none.`, resource.urn);
    }
  },
};

export const rules = [
  requireUnit,
  requireLeastPrivilege,
  requireLimits,
  disallowDefaultNamespace,
  requireNetworkPolicy,
  requireProbes,
];
