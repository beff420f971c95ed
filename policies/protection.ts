import type { ResourceValidation } from "@pulumi/policy";
import * as pulumi from "@pulumi/pulumi";

/** A class, or the type of what an SDK that is not loaded here makes. */
type Kind = Parameters<Parameters<ResourceValidation>[0]["isType"]>[0] | string;

/**
 * Checks that resources of some kinds, which hold data, are protected. Who sets `cais:allowDataDeletion` means to delete
 * data in this stack, and every component asks for a switch of its own besides.
 */
export const validateProtection =
  (...kinds: Kind[]): ResourceValidation =>
  (resource, report) => {
    const holdsData = kinds.some((kind) => (typeof kind === "string" ? resource.type === kind : resource.isType(kind)));
    if (!holdsData || resource.opts.protect) return;
    if (new pulumi.Config("cais").getBoolean("allowDataDeletion") === true) return;
    report(
      `${resource.name} must be protected: it holds data, and nothing keeps the next deployment from deleting it.`,
    );
  };
