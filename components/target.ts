import * as pulumi from "@pulumi/pulumi";
import { targets, type Target } from "@cais/spec/names.ts";

/** The targets that this version can provision. The other names of `spec/names.ts` are known, and refused when chosen. */
export const builtTargets = ["local", "openstack"] as const satisfies readonly Target[];
export type BuiltTarget = (typeof builtTargets)[number];

/** A noun's entries, one per built target: `satisfies TargetTable<…>` makes the compiler refuse a table that lacks one. */
export type TargetTable<Entry> = Record<BuiltTarget, Entry>;

/** The entry of a target on which a noun has nothing to provision. */
export interface Omitted {
  /** What takes its place there. */
  readonly omitted: string;
}

/** The target that `cais:target` names. Throws when it is missing, unknown or not built yet. */
export function stackTarget(): BuiltTarget {
  const chosen = new pulumi.Config("cais").get("target");
  const built = builtTargets.find((target) => target === chosen);
  if (built) return built;
  const problem =
    chosen === undefined
      ? "is missing"
      : targets.some((target) => target === chosen)
        ? `is "${chosen}", which this version cannot provision yet`
        : `is "${chosen}", which is no target`;
  throw new pulumi.RunError(
    `cais:target ${problem}; choose ${builtTargets.join(" or ")} with: pulumi config set cais:target ${builtTargets[0]}`,
  );
}

/**
 * The global one of the two switches that must be on before data may be deleted (`cais:allowDataDeletion`, default
 * false). The other is an argument of the component that holds the data.
 */
export function dataDeletionAllowed(): boolean {
  return new pulumi.Config("cais").getBoolean("allowDataDeletion") ?? false;
}

/** Whether a noun has something to provision on the target of this entry. */
export function provides<Entry extends object>(entry: Entry | Omitted): entry is Exclude<Entry, Omitted> {
  return !("omitted" in entry);
}
