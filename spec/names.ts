import { z } from "zod";

/** The six places where an environment can be provisioned. */
export const targets = ["local", "docker", "kubernetes", "openstack", "aws", "azure"] as const;
export type Target = (typeof targets)[number];

/** What a stack asks for and `cais:environment` names. */
export const environments = ["dev", "staging", "prod"] as const;
export type Environment = (typeof environments)[number];

/** What an environment's stacks share, where a stack may be named too: `cais:deletable`, `cais:secrets` and the tag `stack`. */
export const platformName = "platform";

/** The medallion layers of tables. */
export const layers = ["bronze", "silver", "gold"] as const;

/**
 * A pipeline stack's name. It becomes part of store, table and file names everywhere, so it is the narrowest of their
 * rules: a DNS label (RFC 1123), shortened to leave room for prefixes and suffixes.
 */
export const StackName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,38}[a-z0-9]$/, "2 to 40 characters: a-z, 0-9 and -, a letter first, no - at the end")
  .refine((name) => name !== platformName, "is what the stacks of an environment share; choose another name");

/**
 * A value of a tag, such as an owner. It is the narrowest of the targets' rules. Neutron took 60 characters of
 * `key=value` before it took 255, and `cost-centre=` is the longest key; a comma separates its tags in queries. Swift's
 * are HTTP headers, which end at a line break and lose the space at either end.
 */
export const TagValue = z
  .string()
  .regex(
    /^(?!\s)[^,\p{Cc}]{1,48}(?<!\s)$/u,
    "1 to 48 characters, with no comma, no line break and no space at either end, since it becomes a tag",
  );

/** A table's or column's name: what SQL takes without quotes, in the case it is written in. */
export const Identifier = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, "1 to 63 characters: letters without accents, digits and _, no digit first");

/** The secret of a stack with which addresses of its input are signed. */
export const tempUrlKey = "temp-url-key";

/** A name of a secret in `cais:secrets.<stack>.<name>`. */
export const SecretName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, "1 to 63 characters: a-z, 0-9 and -, a letter first");

/** A key in an object store: relative, with `/` between its parts and no part that climbs out. */
export const ObjectKey = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[^\\\p{Cc}]+$/u, "must hold no backslash and no control character")
  .refine((key) => !key.split("/").some((part) => part === "" || part === "." || part === ".."), {
    message: "must be relative, with no empty, . or .. part",
  });
