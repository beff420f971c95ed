import { expect, it } from "vitest";
import { slots, TooManyQueries } from "./slots.ts";

it("lets so much go on at a time, each in a slot of its own, and the rest in its order", async () => {
  const inSlot = slots(2, 2);
  const log: string[] = [];
  const ends = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
  const work = ends.map(({ promise }, nth) =>
    inSlot(async (slot) => {
      log.push(`${nth} in ${slot}`);
      await promise;
      if (nth === 1) throw new Error("it failed");
    }),
  );
  await expect(inSlot(async () => undefined)).rejects.toThrow(TooManyQueries);
  expect(log).toEqual(["0 in 1", "1 in 0"]);
  ends[1]?.resolve();
  await expect(work[1]).rejects.toThrow("it failed");
  await expect.poll(() => log).toEqual(["0 in 1", "1 in 0", "2 in 0"]);
  for (const { resolve } of ends) resolve();
  await Promise.all([work[0], work[2], work[3]]);
  expect(log).toHaveLength(4);
  await expect(inSlot(async () => "done")).resolves.toBe("done");
});
