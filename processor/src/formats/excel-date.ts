/** Numbers of the formats that Excel has built in for dates and times (ECMA-376, part 1, 18.8.30), those of Asian locales included. */
const builtIn = (id: number) =>
  (id >= 14 && id <= 22) || (id >= 27 && id <= 36) || (id >= 45 && id <= 47) || (id >= 50 && id <= 58);

/** Whether cells of this number format show a date or a time. */
export function isDateFormat(id: number, code: string | undefined): boolean {
  if (code === undefined) return builtIn(id);
  // What is quoted, escaped, a colour or a currency in brackets is no part of the date; [h] is hours.
  const bare = code.replaceAll(/"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]/gi, "");
  return /[dmyhs]/i.test(bare.replaceAll(/general/gi, ""));
}

const DAY_MS = 86_400_000;

/**
 * A spreadsheet's serial number of days as ISO 8601: a date, a date and time (with milliseconds if it has any), or a time of
 * day for a serial below 1. Null for what is no date that Excel shows.
 */
export function dateOf(serial: number, since1904: boolean): string | null {
  if (!(serial >= 0 && serial < 2_958_466)) return null;
  // Excel takes 1900 for a leap year, so days before its 29 February are one less (https://learn.microsoft.com/office/troubleshoot/excel/wrongly-assumes-1900-is-leap-year).
  const epoch = since1904 ? Date.UTC(1904, 0, 1) : Date.UTC(1899, 11, serial < 60 ? 31 : 30);
  const iso = new Date(epoch + Math.round(serial * DAY_MS)).toISOString();
  const time = iso.slice(11, 23).replace(/\.000$/, "");
  if (serial < 1 && !since1904) return time;
  return Number.isInteger(serial) ? iso.slice(0, 10) : `${iso.slice(0, 10)} ${time}`;
}
