import { inspect } from "node:util";
import { PlanError } from "./error.ts";
import { type Json, secretMark, secretTexts } from "./value.ts";

/** Makes a text fit to be shown. */
export type Redact = (text: string) => string;

// Shorter secrets would black out half of a plan: "dev" or "true" may be one.
const shortestRedacted = 8;

/**
 * Every text that is known to be secret: what the program marks, what it gives to resources and data sources, what the
 * config declares. Texts are blacked out by it wherever they appear, so only after all that may tell of one has ended.
 */
export class Secrets {
  readonly #texts = new Set<string>();

  /** Takes note of what is marked as secret in a value, at any depth. */
  note(value: Json): void {
    secretTexts(value, this.#texts);
  }

  /** Takes note of a text that is secret as a whole. */
  add(text: string): void {
    this.#texts.add(text);
  }

  /** Takes note of all that another plan knows to be secret. */
  addAll(other: Secrets): void {
    for (const text of other.#texts) this.#texts.add(text);
  }

  /** For texts of a plan. */
  redact(): Redact {
    // Within JSON that is a text itself, a secret is written with escapes.
    return hiding([...this.#texts].flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]));
  }

  /** For what is written line by line: each line of a secret (a private key, say) is one, too. */
  redactLines(): Redact {
    const whole = this.redact();
    const lines = hiding([...this.#texts].flatMap((text) => text.split("\n")).map((line) => line.trim()));
    return (text) => lines(whole(text));
  }
}

function hiding(texts: string[]): Redact {
  const secrets = [...new Set(texts)]
    .filter((text) => text.length >= shortestRedacted && text !== secretMark)
    .toSorted((a, b) => b.length - a.length);
  return (text) => secrets.reduce((shown, hidden) => shown.replaceAll(hidden, secretMark), text);
}

/** The same error without secrets; a cause that tells one is left out. */
export function redactError(error: PlanError, redact: Redact): PlanError {
  const { code, message, location, urn, cause } = error;
  const told = inspect(cause);
  return new PlanError(code, redact(message), {
    location: location && { ...location, file: redact(location.file) },
    urn: urn === undefined ? undefined : redact(urn),
    cause: redact(told) === told ? cause : undefined,
  });
}
