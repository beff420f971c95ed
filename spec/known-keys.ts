import { z } from "zod";

/**
 * The keys that a schema knows at a path of what is given, for an error that says what could have been meant. Empty where
 * it is no object. Where there are several kinds of object, those of the kind that is given.
 */
export function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[], given?: unknown): string[] {
  const here = unwrap(schema);
  const [first, ...rest] = path;
  const inner = () => (typeof given === "object" && given !== null ? Reflect.get(given, first ?? "") : undefined);
  if (here instanceof z.ZodDiscriminatedUnion) {
    const option = here.options.find((option) => isOf(option, here.def.discriminator, given));
    return option ? knownKeys(option, path, given) : [];
  }
  if (here instanceof z.ZodArray && first !== undefined) return knownKeys(here.element, rest, inner());
  if (!(here instanceof z.ZodObject)) return [];
  return first === undefined
    ? Object.keys(here.shape)
    : knownKeys(here.shape[String(first)] ?? z.unknown(), rest, inner());
}

/** Whether an object is of the kind that an option of a union is about. */
function isOf(option: z.core.$ZodType, key: string, given: unknown): boolean {
  const kind = option instanceof z.ZodObject ? option.shape[key] : undefined;
  const value: unknown = typeof given === "object" && given !== null ? Reflect.get(given, key) : undefined;
  return kind instanceof z.ZodType && kind.safeParse(value).success;
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  for (const wrapper of [z.ZodOptional, z.ZodNullable, z.ZodDefault, z.ZodPrefault])
    if (schema instanceof wrapper) return unwrap(schema.def.innerType);
  return schema;
}
