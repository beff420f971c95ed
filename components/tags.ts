import * as pulumi from "@pulumi/pulumi";
import { TagValue, type Environment } from "@cais/spec/names.ts";

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
    const { error } = TagValue.safeParse(value);
    if (error)
      throw new pulumi.RunError(
        `The tag ${key} of ${stack} is ${JSON.stringify(value)}; it must be ${error.issues.map(({ message }) => message).join("; ")}.`,
        { cause: error },
      );
  }
  return map;
}

/** The tags as a list of `key=value` (Neutron). */
export function tagList(tags: Tags): string[] {
  return Object.entries(tagMap(tags)).map(([key, value]) => `${key}=${value}`);
}
