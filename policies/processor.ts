import { ContainerObject } from "@pulumi/openstack/objectstorage/containerObject.js";
import type { StackRule } from "./rule.ts";

const pinned = /@sha256:[0-9a-f]{64}$/;

/** The last word of each `docker run` of a unit: Cais passes an image no arguments. */
const imagesOf = (unit: string) =>
  [...unit.replaceAll("\\\n", " ").matchAll(/^Exec\w+=\S*docker run .*$/gm)].map(
    ([line]) => line.trim().split(/\s+/).at(-1) ?? "",
  );

export const requireImageDigest: StackRule = {
  name: "processor-require-image-digest",
  description: "Every workload must come with its unit, and the unit must run an image that cannot change unseen.",
  severity: "high",
  remediationSteps: "Set cais:image to registry/name@sha256:<digest>.",
  references: [
    { name: "CIS Kubernetes 5.5.1", url: "https://www.cisecurity.org/benchmark/kubernetes" },
    {
      name: "OWASP Docker rule 13",
      url: "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html",
    },
  ],
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

export const rules = [requireImageDigest];
