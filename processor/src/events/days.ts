const DAY_MS = 86_400_000;

/** The day begins first at UTC+14: https://www.iana.org/time-zones, Pacific/Kiritimati. */
const FIRST_MS = 14 * 3_600_000;

/**
 * The folders in which keys of these days lie, if keys begin with the date: `2026-01-31/…` or `2026/01/31/…`. Of
 * yesterday and today in UTC, and of tomorrow as soon as it is anywhere.
 */
export function foldersOfDays(now: number): string[] {
  const first = dayOf(now + FIRST_MS);
  const days = new Set([dayOf(now - DAY_MS), dayOf(now), first]);
  return [...days].flatMap((day) => [day, day.replaceAll("-", "/")]);
}

const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);
