import type { Registration } from "./registration.ts";
import { secretMark, secretTexts } from "./value.ts";

// Shorter secrets would black out half of a plan: "dev" or "true" may be one.
const shortestRedacted = 8;

/** Blacks out texts that are a secret of some resource: a password that a program also puts into a URL, say. */
export function redactor(resources: Iterable<Registration>): (text: string) => string {
  const texts = new Set<string>();
  for (const { inputs, outputs } of resources) {
    for (const value of Object.values(inputs)) secretTexts(value, texts);
    for (const value of Object.values(outputs ?? {})) secretTexts(value, texts);
  }
  const secrets = [...texts]
    .filter((text) => text.length >= shortestRedacted && text !== secretMark)
    .toSorted((a, b) => b.length - a.length);
  return (text) => secrets.reduce((shown, hidden) => shown.replaceAll(hidden, secretMark), text);
}
