import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { suggest } from "@cais/spec/suggest.ts";
import { formatProblem, parseYaml, type YamlProblem } from "@cais/spec/yaml-file.ts";
import { z } from "zod";

/** Told in one line wherever it is shown, however it is folded in the file. */
const Line = z
  .string()
  .transform((text) => text.replaceAll(/\s+/g, " ").trim())
  .pipe(z.string().min(1, "must say something"));

/** Whether a pattern says so little of a name that most resources could have it, and no whole type either. */
function isWide(pattern: string): boolean {
  if (!pattern.includes("*")) return false;
  const [first = "", ...rest] = pattern.split("::");
  const [type, name] = rest.length === 0 ? ["*", first] : [first, rest.join("::")];
  return type.includes("*") && name.replaceAll(/[^\p{L}\p{N}]/gu, "").length < 3;
}

const Exemption = z.strictObject({
  /** The id of the rule. */
  rule: z.string().min(1),
  /** Names of Pulumi stacks; in this and in `resource`, `*` stands for any text. */
  stack: z.string().min(1),
  /** The name of the resource, or `<type>::<name>`. */
  resource: z
    .string()
    .min(1)
    .refine((pattern) => !/^[*:\s]*$/.test(pattern), {
      error: "must not be every resource: set the rule's level in cais:policies.levels for that",
      abort: true,
    })
    .refine((pattern) => !isWide(pattern), {
      error: "must have three letters or digits of the name beside *, or a whole type before ::",
    }),
  reason: Line,
  /** Who answers for it. */
  owner: Line,
  /** The last day (UTC) on which it holds. */
  expires: z.iso.date("must be a day such as 2027-03-31"),
});

/** A violation that was looked at and is accepted for a time: what, where, why, by whom, until when. */
export interface Exemption extends z.output<typeof Exemption> {
  /** Its place: `policies/exemptions.yaml` and a line. */
  file: string;
  line: number;
}

/** `exemptions.yaml` is not as it must be; every mistake has its place, and the first one's is `location`. */
export class ExemptionError extends Error {
  override readonly name = "ExemptionError";
  readonly code = "exemptions-invalid";
  readonly location: { file: string; line: number } | undefined;

  constructor(problems: YamlProblem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.location = problems[0] && { file: problems[0].file, line: problems[0].line };
  }
}

/**
 * Reads the file `exemptions.yaml` of a policy pack's folder; a pack without one exempts nothing. `rules` and `stacks`
 * are the words that `rule` and `stack` may be, where the reader knows them. Mistakes name the file from the project's root,
 * unless they are told where `from` is the pack itself.
 * @throws ExemptionError with all mistakes at once
 */
export function readExemptions(
  folder: string,
  known: { rules?: string[]; stacks?: string[]; from?: "pack" } = {},
): Exemption[] {
  const path = join(folder, "exemptions.yaml");
  if (!existsSync(path)) return [];
  const file = `${basename(dirname(path))}/exemptions.yaml`;
  const { value, shape, problems, place } = parseYaml(
    known.from === "pack" ? basename(path) : file,
    readFileSync(path, "utf8"),
    z.array(Exemption),
  );
  // A file in which all is a comment holds null.
  if (value === null) return [];
  const unknown = (shape ?? []).flatMap(({ rule, stack }, index) => [
    ...unknownRule(rule, known.rules).map((problem) => ({ ...place([index, "rule"]), ...problem })),
    ...unknownStack(stack, known.stacks).map((problem) => ({ ...place([index, "stack"]), ...problem })),
  ]);
  const all: YamlProblem[] = [...problems, ...unknown];
  if (shape === undefined || all.length > 0) throw new ExemptionError(all);
  return shape.map((exemption, index) => ({ ...exemption, file, line: place([index]).line }));
}

function unknownRule(rule: string, rules: string[] | undefined) {
  if (!rules || rules.includes(rule)) return [];
  const suggestion = suggest(rule, rules);
  return [{ message: `there is no rule ${rule}`, ...(suggestion && { suggestion }) }];
}

function unknownStack(pattern: string, stacks: string[] | undefined) {
  if (!stacks || stacks.some((stack) => matches(pattern, stack))) return [];
  const suggestion = suggest(pattern, stacks);
  return [{ message: `no Pulumi.<stack>.yaml has a name such as ${pattern}`, ...(suggestion && { suggestion }) }];
}

/** Whether all of a text is as a pattern says, in which `*` stands for any text. Takes time with their lengths alone. */
export function matches(pattern: string, text: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return first === text;
  if (!text.startsWith(first)) return false;
  let from = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, from);
    if (found === -1) return false;
    from = found + part.length;
  }
  return text.length - last.length >= from && text.endsWith(last);
}

/** Whether an exemption is about a resource, by its URN: `urn:pulumi:<stack>::<project>::<types>::<name>`. */
export function covers({ stack, resource }: Pick<Exemption, "stack" | "resource">, urn: string): boolean {
  const [place = "", , types = "", ...name] = urn.split("::");
  const type = types.slice(types.lastIndexOf("$") + 1);
  return (
    matches(stack, place.slice("urn:pulumi:".length)) &&
    (matches(resource, name.join("::")) ||
      (resource.includes("::") && matches(resource, `${type}::${name.join("::")}`)))
  );
}

/** Whether a day, such as `2027-03-31`, is past at a time. */
export const isPast = (day: string, now: Date): boolean => day < now.toISOString().slice(0, 10);
