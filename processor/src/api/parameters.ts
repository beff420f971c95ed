import { z } from "zod";

/** What a caller may put in an address. Each is refused with one sentence's end, whatever is wrong with it. */

/** A whole number; in a query all is text, so it is read as one. */
export function wholeNumber(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  // `int` also refuses what is beyond a safe integer, so `max` would tell it again.
  return z.coerce.number(message).int({ message, abort: true }).min(min, message).max(max, message);
}

/** One of a few words. */
export const oneOf = <const Words extends readonly string[]>(words: Words) =>
  z.enum(words, `must be ${words.join(" or ")}, and given once`);

/** An id or name to look for. */
export const Sought = z.string("must be given once").max(64, "must have at most 64 characters");

/** A day, which begins at midnight UTC, or a time with its zone (ISO 8601). */
export const Moment = z.union(
  [z.iso.date(), z.iso.datetime({ offset: true })],
  "must be a date such as 2024-01-31 or a time with its zone such as 2024-01-31T10:00:00Z, and given once",
);

export const FileName = z
  .string("must be given once")
  .regex(
    /^[^/\\\p{Cc}\p{Bidi_Control}]{1,255}$/u,
    "must be a name alone, of 1 to 255 characters: no folder, no control character",
  );
