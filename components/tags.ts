import type { Environment } from "@cais/spec/names.ts";

/** Who and what a resource belongs to: on every resource that can hold it. */
export interface Tags {
  /** Who answers for it. */
  readonly owner: string;
  /** The pipeline stack, or `platform` for what an environment's stacks share. */
  readonly stack: string;
  readonly environment: Environment;
  /** Who pays for it. */
  readonly costCentre: string;
}

/** The tags as key and value (Swift, Nova and Cinder call it metadata). Throws when a value does not fit everywhere. */
export function tagMap({ owner, stack, environment, costCentre }: Tags): Record<string, string> {
  const map = { owner, stack, environment, "cost-centre": costCentre };
  for (const [key, value] of Object.entries(map)) {
    // Neutron took 60 characters of `key=value` before it took 255, and never a comma (it separates tags in queries);
    // Swift's are HTTP headers.
    if (!/^[^,\p{Cc}]+$/u.test(value) || `${key}=${value}`.length > 60)
      throw new Error(
        `The tag ${key} of ${stack} is ${JSON.stringify(value)}; write it with 1 to ${59 - key.length} characters and no comma or line break.`,
      );
  }
  return map;
}

/** The tags as a list of `key=value` (Neutron). */
export function tagList(tags: Tags): string[] {
  return Object.entries(tagMap(tags)).map(([key, value]) => `${key}=${value}`);
}
