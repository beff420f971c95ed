import { expect, it } from "vitest";
import { contractOf, readAs } from "./reading-for-tests.ts";

const contract = contractOf({ a: "string", b: "string" });

it.each([10, 5000, 300_000, 900_000, 1_100_000, 3_000_000])(
  "the last row of a CSV file is taken, also of %i bytes and without an end",
  async (length) => {
    for (const [start, end] of [
      ["", ""],
      ["", "\n"],
      ['"', '"'],
      ['"', ""],
    ]) {
      const content = `a,b\n1,2\n3,${start}${"x".repeat(length)}${end}`;
      const [file] = await readAs(content, "file.csv", contract, { formats: ["csv"] });
      expect([...(file?.rows ?? []), ...(file?.refused ?? [])].map(([number]) => number)).toEqual([2, 3]);
    }
  },
);
