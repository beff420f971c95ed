import { type Metadata, UnsupportedTable } from "./actions.ts";

const DAY = 86_400_000;

const units: Record<string, number> = {
  week: 7 * DAY,
  day: DAY,
  hour: DAY / 24,
  minute: 60_000,
  second: 1000,
  millisecond: 1,
};

/** How long removed files stay for those who read an older version, in milliseconds. */
export const fileRetention = (metadata: Metadata) => duration(metadata, "delta.deletedFileRetentionDuration", 7 * DAY);

/** How long versions can be travelled to, in milliseconds. */
export const logRetention = (metadata: Metadata) => duration(metadata, "delta.logRetentionDuration", 30 * DAY);

/** Reads what Spark writes, such as `interval 1 week 2 days`. */
function duration({ configuration = {} }: Metadata, property: string, otherwise: number): number {
  const text = configuration[property];
  if (text === undefined) return otherwise;
  const parts = [...text.toLowerCase().matchAll(/(\d+) +(week|day|hour|minute|second|millisecond)s?/g)];
  const isWhole = /^ *(interval +)?(\d+ +[a-z]+ *)+$/i.test(text) && parts.length === (text.match(/\d+/g) ?? []).length;
  // A guess could delete what someone meant to keep.
  if (!isWhole)
    throw new UnsupportedTable(
      `A table's property ${property} is ${JSON.stringify(text)}, which is no duration that Cais knows; write it as in "interval 7 days".`,
    );
  return parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (units[unit] ?? 0), 0);
}
