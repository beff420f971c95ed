import { expect, it } from "vitest";
import { announced } from "./announced.ts";
import { foldersOfDays } from "./days.ts";
import { markOf, seen } from "./seen.ts";

const marks = (version: string) =>
  Array.from({ length: 5000 }, (_, n) => markOf({ key: `2026-01-01/${n}.csv`, version }));

it("tells the versions that it saw from all others", () => {
  const set = seen();
  for (const mark of [...marks("1"), ...marks("1")]) set.add(mark);
  expect(set.size).toBe(5000);
  expect(marks("1").filter((mark) => !set.has(mark))).toEqual([]);
  expect(marks("2").filter((mark) => set.has(mark))).toEqual([]);
  expect(markOf({ key: "a", version: "bc" })).not.toEqual(markOf({ key: "ab", version: "c" }));
});

it("looks into the folders of all days that are somewhere now or were yesterday", () => {
  expect(foldersOfDays(Date.parse("2026-03-01T09:59:00Z"))).toEqual([
    "2026-02-28",
    "2026/02/28",
    "2026-03-01",
    "2026/03/01",
  ]);
  expect(foldersOfDays(Date.parse("2025-12-31T10:00:00Z"))).toEqual([
    "2025-12-30",
    "2025/12/30",
    "2025-12-31",
    "2025/12/31",
    "2026-01-01",
    "2026/01/01",
  ]);
});

it("keeps what was announced once, in order and no more than it can", async () => {
  const { signal } = new AbortController();
  const waiting = announced(2);
  const first = waiting.next(9, signal);
  expect([waiting.add("a"), waiting.add("b"), waiting.add("a"), waiting.add("c")]).toEqual([true, true, true, false]);
  expect(await first).toEqual(["a", "b"]);
  expect(waiting.add("c")).toBe(true);
  expect(await waiting.next(1, signal)).toEqual(["c"]);
  const stopped = new AbortController();
  const none = waiting.next(1, stopped.signal);
  stopped.abort(new Error("The end."));
  await expect(none).rejects.toThrow("The end.");
});
