import type { Message, Plan, PlannedResource } from "./plan.ts";
import { printable } from "./printable.ts";
import { isDefaultProvider } from "./urn.ts";

/** How a part of a text is meant, for whoever has colours. */
export type Tone = "bold" | "dim" | "green" | "red" | "yellow" | "cyan" | "magenta";
export type Paint = (tone: Tone, text: string) => string;

/** The resources as a tree, a line each. Default providers, which no program asks for, are left out. */
export function treeOf({ resources }: Plan, paint: Paint): string[] {
  const shown = resources.filter((resource) => !isDefaultProvider(resource));
  const children = Map.groupBy(shown, ({ parent }) => parent);
  const below = (parent: string, indent: string): string[] =>
    (children.get(parent) ?? []).flatMap((resource, index, siblings) => {
      const last = index === siblings.length - 1;
      return [
        paint("dim", indent + (last ? "└─ " : "├─ ")) + describe(resource, paint),
        ...below(resource.urn, indent + (last ? "   " : "│  ")),
      ];
    });
  return (children.get(null) ?? []).flatMap((root) => [describe(root, paint), ...below(root.urn, "")]);
}

function describe(resource: PlannedResource, paint: Paint): string {
  const facts = [
    resource.protect && paint("cyan", "protected"),
    resource.opaque && paint("magenta", "opaque: only its provider knows what is in it"),
    resource.read && paint("cyan", "read, not made"),
    resource.unknownInputs.length > 0 && paint("yellow", `${resource.unknownInputs.length} unknown`),
    resource.secretInputs.length > 0 && paint("magenta", `${resource.secretInputs.length} secret`),
  ].filter((fact) => fact !== false);
  return [paint("bold", printable(resource.name)), paint("dim", printable(resource.type)), ...facts].join("  ");
}

/** How many resources there are of each type, most first. */
export function countsOf({ resources }: Plan): { type: string; count: number }[] {
  const shown = resources.filter((resource) => resource.parent !== null && !isDefaultProvider(resource));
  return [...Map.groupBy(shown, ({ type }) => type)]
    .map(([type, all]) => ({ type, count: all.length }))
    .toSorted((a, b) => b.count - a.count || (a.type < b.type ? -1 : 1));
}

/** What a message says and about which resource. */
export function sentenceOf({ text, urn }: Message, { resources }: Plan): string {
  const about = resources.find((resource) => resource.urn === urn);
  const sentence = about && about.parent !== null ? `${about.name}: ${text}` : text;
  return sentence.split("\n").map(printable).join("\n");
}
