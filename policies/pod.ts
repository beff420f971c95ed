import { type ResourceValidationArgs, UnknownValueError } from "@pulumi/policy";

/** Where each kind that runs containers has its pods, below its inputs. Types of Kubernetes' SDK end with the kind. */
const places: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  PodTemplate: ["template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
  ...Object.fromEntries(
    ["DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"].map((kind) => [
      kind,
      ["spec", "template"],
    ]),
  ),
};

/** Stands for a value that only a deployment knows. */
export const later = Symbol("known later");

/** What is at a place below a value, `later`, or undefined where there is nothing. */
export function at(value: unknown, ...keys: readonly string[]): unknown {
  let here = value;
  for (const key of keys) {
    if (typeof here !== "object" || here === null) return here === later ? later : undefined;
    try {
      here = Reflect.get(here, key);
    } catch (error) {
      if (error instanceof UnknownValueError) return later;
      throw error;
    }
  }
  return here;
}

/** The items of a list that are known. */
export function itemsAt(value: unknown, ...keys: readonly string[]): unknown[] {
  const list = at(value, ...keys);
  if (!Array.isArray(list)) return [];
  return Array.from(list.keys())
    .map((index) => at(list, String(index)))
    .filter((item) => item !== later);
}

/** The pods that a resource asks for: their metadata and spec. Undefined: it asks for none. */
export function podOf({ type, props }: Pick<ResourceValidationArgs, "type" | "props">): unknown {
  const place = type.startsWith("kubernetes:") ? places[type.slice(type.lastIndexOf(":") + 1)] : undefined;
  return place && at(props, ...place);
}

/** The containers of pods with their names, those that run before and beside the others, too. */
export const containersOf = (pod: unknown): { name: string; container: unknown }[] =>
  ["containers", "initContainers", "ephemeralContainers"].flatMap((list) =>
    itemsAt(pod, "spec", list).map((container, index) => {
      const name = at(container, "name");
      return { name: typeof name === "string" ? name : `${list}[${index}]`, container };
    }),
  );
