import { imagesIn } from "./container-command.ts";
import { readable } from "./encoded.ts";
import { textOf, textsOf } from "./inputs.ts";
import type { ResourceRule } from "./rule.ts";

const pinned = /@sha256:[0-9a-f]{64}$/;

/** Inputs that hold a script, a unit or a manifest, in which containers may be started. */
const scripts: Readonly<Record<string, readonly string[]>> = {
  "openstack:compute/instance:Instance": ["userData"],
  "openstack:objectstorage/containerObject:ContainerObject": ["content"],
};

/** Where the inputs of a type name an image themselves, beginning with a provider's name or a type. */
const inputs: readonly (readonly [type: string, path: RegExp])[] = [
  ["kubernetes:", /(?:^|\.)(?:containers|initContainers|ephemeralContainers)\[\d+\]\.image$/],
  ["docker:index/container:Container", /^image$/],
  ["docker:index/remoteImage:RemoteImage", /^name$/],
  ["docker:index/service:Service", /^taskSpec\.containerSpec\.image$/],
];

export const requireDigest: ResourceRule = {
  name: "image-require-digest",
  description: "Containers must run images that cannot change unseen.",
  severity: "high",
  remediationSteps:
    "Name the image with its digest: registry/name@sha256:<64 hex digits>. cais:image is the processor's.",
  references: [
    { name: "CIS Kubernetes 5.5.1", url: "https://www.cisecurity.org/benchmark/kubernetes" },
    {
      name: "OWASP Docker rule 13",
      url: "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource({ type, name, props }, report) {
    const images = (scripts[type] ?? []).flatMap((input) => imagesIn(readable(textOf(props, input) ?? "")));
    for (const [prefix, at] of inputs)
      if (type.startsWith(prefix)) for (const { path, text } of textsOf(props)) if (at.test(path)) images.push(text);
    for (const image of new Set(images))
      if (!pinned.test(image)) report(`${name} must run an image with its digest, and runs ${image}.`);
  },
};

/** Inputs that choose what a machine boots from by a name, which the cloud may give to another image. */
const bootImages: Readonly<Record<string, string>> = {
  "openstack:compute/instance:Instance": "imageName",
  "openstack:containerinfra/clusterTemplate:ClusterTemplate": "image",
};

const uuid = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

export const requireId: ResourceRule = {
  name: "image-require-id",
  description: "Machines must boot from an image that is named by its id: a name can be given to another image.",
  severity: "medium",
  remediationSteps: "Set the image's id, as `openstack image show` prints it, in place of its name.",
  references: [
    {
      name: "OpenStack security guide: image signing",
      url: "https://docs.openstack.org/security-guide/instance-management/security-services-for-instances.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource({ type, name, props }, report) {
    const input = bootImages[type];
    const image = input && textOf(props, input);
    if (image && !uuid.test(image)) report(`${name} must name its image by id, and its ${input} is ${image}.`);
  },
};

export const rules = [requireDigest, requireId];
