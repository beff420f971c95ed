import { StackV1 } from "@pulumi/openstack/orchestration/stackV1.js";
import { validateResourceOfType } from "@pulumi/policy";
import { readHeatStack } from "./heat-template.ts";
import { inert } from "./heat-types.ts";
import { ifKnown } from "./if-known.ts";
import { secretKeys } from "./metadata.ts";
import type { ResourceRule } from "./rule.ts";

const hot = {
  name: "Heat, HOT specification",
  url: "https://docs.openstack.org/heat/latest/template_guide/hot_spec.html",
};
const environments = {
  name: "Heat, environments",
  url: "https://docs.openstack.org/heat/latest/template_guide/environment.html",
};

export const requireReadableTemplate: ResourceRule = {
  name: "heat-require-readable-template",
  description: "A Heat stack must bring its template, so that the rules can read it.",
  severity: "high",
  remediationSteps: "Give the HOT template itself as `templateOpts.Bin`, and the environment as `environmentOpts.Bin`.",
  references: [hot, environments],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(StackV1, (stack, { name }, report) => {
      const read = readHeatStack(stack);
      if (typeof read === "string") report(`${name} must bring a template that can be read, and its template ${read}.`);
      else if (read && !read.isEnvironmentRead)
        report(`${name} must bring an environment that can be read, and its environment is no map in YAML.`);
      if (ifKnown(() => stack.environmentOpts?.["URL"]))
        report(`${name} must bring its environment, and the environment is fetched from elsewhere.`);
    }),
  ],
};

export const disallowUnreviewedResource: ResourceRule = {
  name: "heat-disallow-unreviewed-resource",
  description: "A Heat stack must ask only for what the rules know.",
  severity: "high",
  remediationSteps:
    "Let the program ask for the resource instead of Heat, or ask for an exemption after a look at the template.",
  references: [hot, environments],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(StackV1, (stack, { name }, report) => {
      const read = readHeatStack(stack);
      if (read === undefined || typeof read === "string") return;
      const told = read.resources.flatMap(({ name: part, type, heatType, hides }) => [
        ...(type === undefined && hides.length === 0 && !inert.has(heatType)
          ? [`${part} is of the type ${heatType}`]
          : []),
        ...hides.map((why) => `${part} ${why}`),
      ]);
      for (const what of new Set(told)) report(`${name} must ask only for what the rules know, and its ${what}.`);
      for (const type of read.remapped)
        report(`${name} must leave types as they are, and its environment makes ${type} something else.`);
    }),
  ],
};

export const requireHiddenSecrets: ResourceRule = {
  name: "heat-require-hidden-secrets",
  description: "Heat must hide secrets: a template and its parameters are shown to everyone in the project.",
  severity: "high",
  remediationSteps: "Make it a parameter with `hidden: true` and no default, and give its value from cais:secrets.",
  references: [hot],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(StackV1, (stack, { name }, report) => {
      const read = readHeatStack(stack);
      if (read === undefined || typeof read === "string") return;
      for (const parameter of read.parameters) {
        if (secretKeys({ [parameter.name]: "value" }).length === 0) continue;
        if (!parameter.hidden) report(`${name} must hide secrets, and its parameter ${parameter.name} is not hidden.`);
        if (parameter.hasDefault)
          report(`${name} must bring no secret, and its parameter ${parameter.name} has a default.`);
      }
      for (const payload of read.payloads)
        report(`${name} must bring no secret, and the payload of its ${payload} is in the template.`);
    }),
  ],
};

export const rules = [requireReadableTemplate, disallowUnreviewedResource, requireHiddenSecrets];
