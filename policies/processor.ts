import { ApplicationCredential } from "@pulumi/openstack/identity/applicationCredential.js";
import { ContainerObject } from "@pulumi/openstack/objectstorage/containerObject.js";
import { type ResourceValidationPolicy, type StackValidationPolicy, validateResourceOfType } from "@pulumi/policy";
import { ifKnown } from "./if-known.ts";

/** A path that names neither a container nor a kind of resource, such as `/**` or `/v1/AUTH_*` followed by `/**`. */
const isAnything = (path: string) => /^(\/(v\d[^/]*|AUTH_[^/]*|\*))*\/?\*\*$/.test(path);

export const requireAccessRules: ResourceValidationPolicy = {
  name: "processor-require-access-rules",
  description: "Application credentials must be limited to the calls that their user makes.",
  severity: "high",
  remediationSteps: "List the calls as access rules (service, method, path) and leave `unrestricted` off.",
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

const pinned = /@sha256:[0-9a-f]{64}$/;

/** The last word of each `docker run` of a unit: Cais passes an image no arguments. */
const imagesOf = (unit: string) =>
  [...unit.replaceAll("\\\n", " ").matchAll(/^Exec\w+=\S*docker run .*$/gm)].map(
    ([line]) => line.trim().split(/\s+/).at(-1) ?? "",
  );

export const requireImageDigest: StackValidationPolicy = {
  name: "processor-require-image-digest",
  description: "Every workload must come with its unit, and the unit must run an image that cannot change unseen.",
  severity: "high",
  remediationSteps: "Set cais:image to registry/name@sha256:<digest>.",
  enforcementLevel: "mandatory",
  validateStack({ resources }, report) {
    const objects = resources.flatMap((resource) => {
      const props = resource.asType(ContainerObject);
      return props ? [{ resource, name: props.name ?? "", content: () => props.content ?? "" }] : [];
    });
    for (const { resource, name, content } of objects) {
      if (name.endsWith(".json")) {
        const unit = name.replace(/\.json$/, ".service");
        const siblings = objects.filter((other) => other.resource.parent?.urn === resource.parent?.urn);
        if (!siblings.some((other) => other.name === unit))
          report(`${resource.name} must come with its unit, and there is no ${unit} beside ${name}.`, resource.urn);
      }
      if (!name.endsWith(".service")) continue;
      const images = imagesOf(content());
      if (images.length === 0) report(`${resource.name} must run a container, and its unit runs none.`, resource.urn);
      for (const image of images)
        if (!pinned.test(image))
          report(`${resource.name} must run an image with its digest, and runs ${image}.`, resource.urn);
    }
  },
};
