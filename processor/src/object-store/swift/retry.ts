import { setTimeout as pause } from "node:timers/promises";

/** How often a request is made before it is given up: with the pauses some ten seconds, in which a proxy restarts. */
export const TRIES = 10;

const FIRST_MS = 100;
const LONGEST_MS = 4000;

/**
 * Statuses that the next try may not meet. 498 is Swift's own for too many requests, sent without Retry-After
 * (https://docs.openstack.org/swift/latest/ratelimit.html).
 */
export const isTransient = (status: number): boolean => [408, 429, 498, 500, 502, 503, 504].includes(status);

/** What Swift answers to a body that is not the one whose MD5 came with it. */
export const DAMAGED = 422;

/** Waits before the try that follows the `nth`: exponential, with full jitter. `asked`: seconds that an answer asks for. */
export async function pauseBefore(nth: number, asked = 0): Promise<void> {
  const ms = Math.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** (nth - 1));
  await pause(Math.max(ms, Math.min(asked, 30) * 1000));
}
