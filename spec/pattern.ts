/** One escape of RE2's, or a backslash and the sign after it. */
const escape = /\\(?:[pP]\{\^?\w+\}|x\{[0-9a-fA-F]{1,6}\}|x[0-9a-fA-F]{2}|[1-7][0-7]{1,2}|[pP][A-Z]|[^])/u;

/** Those that RE2 knows. A sign that is no letter or digit stands for itself. */
const knownEscape = /^\\(?:[pPx1-7].+|[aftnrvdDsSwWbBAzCQ0]|(?![A-Za-z0-9])\p{ASCII})$/u;

/** Where RE2's syntax is not JavaScript's: quoted text, escapes, classes, what begins with `(?`, repeats, empty assertions. */
const token = new RegExp(
  [
    /\\Q[^]*?(?:\\E|$)/u,
    escape,
    /\[\^?\]?(?:\[:\^?\w+:\]|\\[^]|[^\]\\])*\]/u,
    /\(\?(?:P<\w+>|[imsU]*(?:-[imsU]+)?[:)]|<?[=!])?/u,
    /\{\d+(?:,\d*)?\}/u,
    /[$^]/u,
  ]
    .map(({ source }) => source)
    .join("|"),
  "gu",
);

/** https://github.com/google/re2/wiki/Syntax */
const maxRepeat = 1000;

/** No pattern for a cell comes near this, and reading a class takes time with the square of its length. */
const maxLength = 1000;

/**
 * Why RE2 cannot compile a pattern; undefined when it can, as far as this tells (it does not know the names of Unicode's
 * classes). What RE2 spells in its own way is put as JavaScript has it, and JavaScript's compiler judges the rest.
 */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length > maxLength) return `has ${pattern.length} characters; the limit is ${maxLength}`;
  const problems: string[] = [];
  const translated = pattern.replaceAll(token, (found) => {
    if (found.startsWith("\\Q") || found === "^" || found === "$") return "q";
    const unknown = escapesOf(found).find((escape) => !knownEscape.test(escape));
    if (unknown !== undefined)
      problems.push(`holds ${unknown}, and RE2 has no ${/^\\[1-9k]/.test(unknown) ? "backreferences" : "such escape"}`);
    if (found.startsWith("\\")) return "e";
    if (found.startsWith("["))
      return found.replaceAll(/\[:\^?\w+:\]/g, "c").replace(/^\[\^?\]/, (start) => start.replace("]", "\\]"));
    if (found.startsWith("{")) {
      if (found.match(/\d+/g)?.some((count) => Number(count) > maxRepeat))
        problems.push(`repeats with ${found}, and RE2's limit is ${maxRepeat}`);
      return found;
    }
    if (/[=!]$/.test(found)) problems.push(`holds ${found}, and RE2 looks neither ahead nor behind`);
    else if (found === "(?") problems.push("holds (? and a group of a kind that RE2 has not; a name is (?P<name>…)");
    return found.endsWith(":") ? "(?:" : found.endsWith(")") ? "" : "(";
  });
  if (problems.length > 0) return problems[0];
  try {
    RegExp(translated);
    return undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return `cannot be compiled: ${error.message.slice(error.message.lastIndexOf(": ") + 2)}`;
  }
}

/** The escapes in a token: it may be one, or a class with some. */
const escapesOf = (found: string): string[] => found.match(new RegExp(escape, "gu")) ?? [];
