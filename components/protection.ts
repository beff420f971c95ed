import * as pulumi from "@pulumi/pulumi";
import { dataDeletionAllowed } from "./target.ts";

/**
 * Whether a component's data may be deleted with it: only when its own argument and `cais:allowDataDeletion` both say
 * so. When they differ, nothing is deleted and a warning tells which switch is off.
 */
export function deletable(resource: pulumi.Resource, name: string, argument: boolean): boolean {
  const global = dataDeletionAllowed();
  if (argument !== global) {
    const [on, off] = argument
      ? ["its own switch", "cais:allowDataDeletion"]
      : ["cais:allowDataDeletion", "its own switch"];
    void pulumi.log.warn(
      `${name}: data stays protected, because ${on} allows its deletion but ${off} does not.`,
      resource,
    );
  }
  return argument && global;
}
