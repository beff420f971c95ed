import type { Contract } from "@cais/spec/contract.ts";
import { titleOf } from "../contract/columns.ts";

/**
 * Writes the values that a format types itself (JSON's numbers, a spreadsheet's dates) as the contract expects them to be
 * written in text, so that one check, one rejected cell and one correction serve every format.
 */
export interface NativeCells {
  /** A number with a point becomes one with the column's decimal character. */
  number(title: string, text: string): string;
  /**
   * A date or a date and time, in ISO 8601, is written by the column's format if it has one. A date alone is midnight in a
   * column of times.
   */
  date(title: string, iso: string): string;
}

export function nativeCells(contract: Contract): NativeCells {
  const commas = new Set<string>();
  const times = new Set<string>();
  const formats = new Map<string, string>();
  for (const column of contract.columns) {
    const title = titleOf(column);
    if (title === undefined) continue;
    const { type, decimal = contract.decimal, format } = column;
    if (decimal === "," && (type === "double" || type === "decimal" || type === "integer")) commas.add(title);
    const first = typeof format === "string" ? format : format?.[0];
    if (type === "timestamp") times.add(title);
    if (first !== undefined && (type === "date" || type === "timestamp")) formats.set(title, first);
  }
  return {
    number: (title, text) => (commas.has(title) ? text.replace(".", ",") : text),
    date(title, iso) {
      const format = formats.get(title);
      const whole = times.has(title) && iso.length === DATE_LENGTH ? `${iso} 00:00:00` : iso;
      return format === undefined ? whole : written(whole, format);
    },
  };
}

const DATE_LENGTH = "2024-01-31".length;

/**
 * An ISO date written by a format of strftime. A format that names what is not known here leaves the ISO text, which the
 * contract then refuses visibly.
 */
function written(iso: string, format: string): string {
  const [, year = "", month = "", day = "", hour = "00", minute = "00", second = "00", fraction = ""] =
    /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?$/.exec(iso) ?? [];
  if (year === "") return iso;
  const h12 = String(Number(hour) % 12 || 12);
  const date = new Date(`${iso.slice(0, 10)}T00:00:00Z`);
  const name = (style: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat("en", { timeZone: "UTC", ...style }).format(date);
  const parts: Record<string, () => string> = {
    Y: () => year,
    y: () => year.slice(2),
    m: () => month,
    d: () => day,
    H: () => hour,
    M: () => minute,
    S: () => second,
    I: () => h12.padStart(2, "0"),
    p: () => (Number(hour) < 12 ? "AM" : "PM"),
    f: () => fraction.padEnd(6, "0").slice(0, 6),
    g: () => fraction.padEnd(3, "0").slice(0, 3),
    b: () => name({ month: "short" }),
    B: () => name({ month: "long" }),
    a: () => name({ weekday: "short" }),
    A: () => name({ weekday: "long" }),
    "-d": () => String(Number(day)),
    "-m": () => String(Number(month)),
    "-H": () => String(Number(hour)),
    "-I": () => h12,
    "%": () => "%",
  };
  let known = true;
  const text = format.replaceAll(/%(-?.)/g, (_, part: string) => {
    const make = parts[part];
    known &&= make !== undefined;
    return make?.() ?? "";
  });
  return known ? text : iso;
}
