import * as pulumi from "@pulumi/pulumi";

/** The error for a key of the config that the target has no use for, and why. */
export const noEffect = (key: string, target: string, why: string): pulumi.RunError =>
  new pulumi.RunError(`${key} has no effect on ${target}: ${why}; remove it with: pulumi config rm --path '${key}'`);
