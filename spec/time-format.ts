/** What DuckDB's strptime knows (https://duckdb.org/docs/stable/sql/functions/dateformat), beside `%%`. */
const codes = new Set([..."aAbBcdfgGhHIjmMnpSTuUVwWxXyYzZ"].concat([..."dHIjmMSy"].map((code) => `-${code}`)));

/** Codes that tell a year, and those that tell a day in it. */
const years = new Set(["y", "-y", "Y", "x", "c", "G"]);
const months = new Set(["b", "B", "h", "m", "-m", "x", "c"]);
const days = new Set(["d", "-d", "x", "c"]);
const daysOfYear = new Set(["j", "-j"]);

/** Why a format tells no date; undefined when it does. */
export function formatProblem(format: string): string | undefined {
  const found = [...format.matchAll(/%(-?[^]|$)/g)].map(([, code = ""]) => code).filter((code) => code !== "%");
  const unknown = found.find((code) => !codes.has(code));
  if (unknown !== undefined)
    return unknown === ""
      ? "ends in a % that begins nothing; write %% for the sign itself"
      : `holds %${unknown}, and DuckDB's strptime has no such code`;
  const has = (some: Set<string>) => found.some((code) => some.has(code));
  if (!has(years)) return "names no year (%Y or %y)";
  // A week of ISO 8601 with its day.
  if (found.includes("G") && found.includes("V") && found.includes("u")) return undefined;
  if (has(daysOfYear)) return undefined;
  if (!has(months)) return "names no month (%m, %b or %B)";
  return has(days) ? undefined : "names no day (%d)";
}
