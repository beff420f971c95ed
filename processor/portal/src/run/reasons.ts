import type { RejectedRow } from "@cais/spec/api.ts";

export interface ReasonCount {
  reason: string;
  count: number;
}

/** How often each reason was given, the most frequent first. */
export function countReasons(rows: readonly RejectedRow[]): ReasonCount[] {
  const counts = new Map<string, number>();
  for (const { reason } of rows) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => ({ reason, count })).toSorted((a, b) => b.count - a.count);
}
