/**
 * A line that may be shown on a terminal or in a page: what would move the cursor, or turn the order of letters around,
 * is �. Names and values come from stacks and programs.
 */
export const printable = (line: string): string =>
  line.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => (/[\t\n]/.test(character) ? " " : "�"));
