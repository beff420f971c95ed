import * as pulumi from "@pulumi/pulumi";

/** The arguments that a target cannot honour, each with what to do instead. */
export type Unsupported<Args> = { readonly [Key in keyof Args]?: string };

/**
 * Compares what is asked with what the target can do. An argument that is `undefined`, false or an empty list asks for
 * nothing. One that the target cannot honour is a warning, or an error when `security` names it: going on without it
 * would leave open what its user wanted closed.
 */
export function honour<Args extends object>(
  resource: pulumi.Resource,
  component: string,
  target: string,
  args: Args,
  unsupported: Unsupported<Args>,
  security: readonly (keyof Args)[] = [],
): void {
  for (const key in unsupported) {
    const asked = args[key];
    if (asked === undefined || asked === false || (Array.isArray(asked) && asked.length === 0)) continue;
    const message = `${component}: ${key} has no effect on ${target}: ${unsupported[key]}.`;
    if (security.includes(key)) throw new pulumi.RunError(message);
    void pulumi.log.warn(message, resource);
  }
}
