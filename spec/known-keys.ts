import { z } from "zod";

/** The keys that a schema knows at a path, for an error that says what could have been meant. Empty where it is no object. */
export function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const here = unwrap(schema);
  const [first, ...rest] = path;
  if (here instanceof z.ZodArray && first !== undefined) return knownKeys(here.element, rest);
  if (!(here instanceof z.ZodObject)) return [];
  return first === undefined ? Object.keys(here.shape) : knownKeys(here.shape[String(first)] ?? z.unknown(), rest);
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  for (const wrapper of [z.ZodOptional, z.ZodNullable, z.ZodDefault, z.ZodPrefault])
    if (schema instanceof wrapper) return unwrap(schema.def.innerType);
  return schema;
}
