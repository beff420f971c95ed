import { environments } from "@cais/spec/names.ts";
import { textsOf } from "./inputs.ts";
import type { ResourceRule } from "./rule.ts";
import { environment } from "./settings.ts";
import { tagsOf } from "./tags.ts";

/** Inputs that lead from one resource to others that the program did not make, by name. `[]`: each item of a list. */
const leads: Readonly<Record<string, readonly string[]>> = {
  "pulumi:pulumi:StackReference": ["name"],
  "pulumi:providers:openstack": ["tenantName", "cloud"],
  "openstack:compute/instance:Instance": ["networks[].name"],
  "openstack:compute/floatingIp:FloatingIp": ["pool"],
  "openstack:networking/floatingIp:FloatingIp": ["pool"],
  "openstack:objectstorage/containerObject:ContainerObject": ["containerName"],
  "openstack:objectstorage/tempUrl:TempUrl": ["container"],
};

/** The environments that a name has as a word: `prod-openstack` and `net_prod`, not `product`. */
const environmentsIn = (name: string) =>
  environments.filter((word) =>
    name
      .toLowerCase()
      .split(/[^a-z0-9]+/)
      .includes(word),
  );

export const disallowOthers: ResourceRule = {
  name: "environment-disallow-others",
  description: "An environment must not hold, read or reach what belongs to another one.",
  severity: "high",
  remediationSteps:
    "Take what belongs to this environment, or deploy it where it belongs; cais:environment says which one this is.",
  references: [
    { name: "ISO/IEC 27002:2022 8.31", url: "https://www.iso.org/standard/75652.html" },
    { name: "CIS Controls 16.8", url: "https://www.cisecurity.org/controls/application-software-security" },
  ],
  enforcementLevel: "mandatory",
  validateResource(resource, report) {
    const own = environment();
    if (own === undefined) return;
    const { name, type, props } = resource;
    const tags = tagsOf(resource);
    const tagged = tags?.get("environment");
    if (tagged && tagged !== own) report(`${name} must belong to ${own}, and its tag environment is ${tagged}.`);
    const paths = leads[type] ?? [];
    for (const { path, text } of paths.length > 0 ? textsOf(props) : []) {
      if (!paths.includes(path.replaceAll(/\[\d+\]/g, "[]"))) continue;
      // Of a reference, `<organization>/<project>/<stack>`, the stack says it. A pipeline stack's own name may have the word, too.
      const inName = environmentsIn(tags?.get("stack") ?? "");
      const named = environmentsIn(text.slice(text.lastIndexOf("/") + 1)).filter((word) => !inName.includes(word));
      if (named.length > 0 && !named.some((word) => word === own))
        report(`${name} must stay within ${own}, and its ${path} leads to ${named.join(" and ")}: ${text}.`);
    }
  },
};

export const rules = [disallowOthers];
