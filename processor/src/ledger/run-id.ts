import { randomBytes } from "node:crypto";

/** A run's id: the second it was queued in, for people, and 48 random bits. A DNS label, so it can be part of any name. */
export function newRunId(now: Date): string {
  const second = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").toLowerCase();
  return `${second}-${randomBytes(6).toString("hex")}`;
}
