/** Times that are written in a fixed number of characters, so that a row's bytes show whether one is a date. */
export interface Layout {
  /** What is at each place: a part of the date, with its digits, or one character. */
  parts: { part: number; digits: number; literal: number }[];
}

/** The parts in the order in which they are kept. */
export const [YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, LITERAL] = [0, 1, 2, 3, 4, 5, 6] as const;

const codes: Record<string, number> = { Y: YEAR, m: MONTH, d: DAY, H: HOUR, M: MINUTE, S: SECOND };

/** The layout of a format; undefined where its parts are not all numbers of a fixed width, or one is there twice. */
export function layoutOf(format: string): Layout | undefined {
  const parts: Layout["parts"] = [];
  for (const [found, code] of format.matchAll(/%(.)|[^]/gu)) {
    const part = code === undefined ? LITERAL : codes[code];
    if (part === undefined || (part !== LITERAL && parts.some((other) => other.part === part))) return undefined;
    const literal = code === undefined ? (found.codePointAt(0) ?? 0) : 0;
    // What may be padding, quotes or an end of a cell is left to the careful way.
    if (code === undefined && !/[-/.:TZ A-Z]/.test(found)) return undefined;
    parts.push({ part, digits: part === YEAR ? 4 : 2, literal });
  }
  const has = (part: number) => parts.some((other) => other.part === part);
  const first = parts[0];
  return has(YEAR) && has(MONTH) && has(DAY) && first?.part !== LITERAL && parts.at(-1)?.literal !== 0x20
    ? { parts }
    : undefined;
}
