import type { ResourceValidation } from "@pulumi/policy";
import * as pulumi from "@pulumi/pulumi";

type Kind = Parameters<Parameters<ResourceValidation>[0]["isType"]>[0];

/**
 * Checks that resources of some kinds, which hold data, are protected. Who sets `cais:allowDataDeletion` means to delete
 * data in this stack, and every component asks for a switch of its own besides.
 */
export const validateProtection =
  (...kinds: Kind[]): ResourceValidation =>
  (resource, report) => {
    if (!kinds.some((kind) => resource.isType(kind)) || resource.opts.protect) return;
    if (new pulumi.Config("cais").getBoolean("allowDataDeletion") === true) return;
    report(
      `${resource.name} must be protected: it holds data, and nothing keeps the next deployment from deleting it.`,
    );
  };
