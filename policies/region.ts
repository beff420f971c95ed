import { textOf } from "./inputs.ts";
import type { ResourceRule } from "./rule.ts";
import { environment, policySettings } from "./settings.ts";

/** Which input of a provider, and of its resources, names their region. */
const regionInputs: Readonly<Record<string, string>> = { openstack: "region" };

const isProvider = (type: string) => type.startsWith("pulumi:providers:");
const providerOf = (type: string) => (isProvider(type) ? type.slice("pulumi:providers:".length) : type.split(":")[0]);

export const disallowUnlisted: ResourceRule = {
  name: "region-disallow-unlisted",
  description: "Resources must be in regions that the environment allows, and production must say which those are.",
  severity: "high",
  remediationSteps:
    "Choose an allowed region (openstack:region), or allow this one: pulumi config set --path 'cais:policies.regions[0]' <region>, with the next free number where there are some.",
  references: [
    { name: "NIST SP 800-53 SA-9(5)", url: "https://csrc.nist.gov/pubs/sp/800/53/r5/upd1/final" },
    {
      name: "Well-Architected SUS01-BP01",
      url: "https://docs.aws.amazon.com/wellarchitected/latest/framework/sus_sus_region_a2.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource({ type, name, props }, report) {
    const input = regionInputs[providerOf(type) ?? ""];
    if (input === undefined) return;
    const { regions } = policySettings();
    if (regions === undefined) {
      if (isProvider(type) && environment() === "prod")
        report(`${name} must stay in the regions that prod allows, and cais:policies.regions names none.`);
      return;
    }
    const region = textOf(props, input);
    if (region !== undefined) {
      if (!regions.includes(region))
        report(`${name} must be in a region that is allowed (${regions.join(", ")}), and is in ${region}.`);
    } else if (isProvider(type) && !(input in props))
      report(`${name} must name its region, since not all are allowed (${regions.join(", ")}), and names none.`);
  },
};

export const rules = [disallowUnlisted];
