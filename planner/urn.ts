/** A resource's URN, as Pulumi builds it: `urn:pulumi:<stack>::<project>::<parent types$type>::<name>`. */
export function createUrn(stack: string, project: string, parent: string, type: string, name: string): string {
  const parentType = parent.split("::")[2] ?? "";
  const qualified = parentType === "" || parentType === "pulumi:pulumi:Stack" ? type : `${parentType}$${type}`;
  return `urn:pulumi:${stack}::${project}::${qualified}::${name}`;
}

/** The type of the resource itself, without its parents' types. */
export const urnType = (urn: string): string => (urn.split("::")[2] ?? "").split("$").at(-1) ?? "";

/** The name; it may hold `::` itself. */
export const urnName = (urn: string): string => urn.split("::").slice(3).join("::");

/** The package of a type token: `openstack` of `openstack:objectstorage/container:Container`. */
export const packageOf = (type: string): string => type.split(":")[0] ?? "";

/** The package that a provider's type serves: `openstack` of `pulumi:providers:openstack`. */
export const providedPackage = (type: string): string | undefined => /^pulumi:providers:(.+)$/.exec(type)?.[1];

/** A provider reference is `<urn>::<id>`; the id is unknown in a plan. */
export const referenceUrn = (reference: string): string => reference.slice(0, reference.lastIndexOf("::"));

/** What the engine adds where a program names no provider: `default`, or `default_3_15_2` with its version. */
export const isDefaultProvider = ({ type, name }: { type: string; name: string }): boolean =>
  providedPackage(type) !== undefined && /^default(_|$)/.test(name);
