import { RunState } from "@cais/spec/api.ts";
import { expect, it } from "vitest";
import { z } from "zod";
import { FileName, oneOf, Sought, wholeNumber } from "./parameters.ts";

const mistakes = (schema: z.ZodType, value: unknown) =>
  schema.safeParse(value).error?.issues.map(({ message }) => message);

it.each([
  ["x", wholeNumber(1, 500)],
  ["1.5", wholeNumber(1, 500)],
  ["0", wholeNumber(1, 500)],
  ["501", wholeNumber(1, 500)],
  ["1e20", wholeNumber(1, 500)],
  [["1", "2"], wholeNumber(1, 500)],
])("%j is refused as a count with one sentence", (value, schema) => {
  expect(mistakes(schema, value)).toEqual(["must be a whole number from 1 to 500"]);
});

it.each([
  [1e20, wholeNumber(0, Number.MAX_SAFE_INTEGER), "must be a whole number from 0 to 9007199254740991"],
  ["happy", oneOf(RunState.options), "must be queued or running or done or failed or quarantined, and given once"],
  [["csv", "csv"], oneOf(["csv", "ndjson"]), "must be csv or ndjson, and given once"],
  ["x".repeat(65), Sought, "must have at most 64 characters"],
  [["a", "b"], Sought, "must be given once"],
  ["", FileName, "must be a name alone, of 1 to 255 characters: no folder, no control character"],
  ["a/".repeat(200), FileName, "must be a name alone, of 1 to 255 characters: no folder, no control character"],
  [["a", "b"], FileName, "must be given once"],
])("%j is refused with one sentence", (value, schema, message) => {
  expect(mistakes(schema, value)).toEqual([message]);
});

it("takes what is right", () => {
  expect(wholeNumber(0, 500).parse("500")).toBe(500);
  expect(oneOf(["csv", "ndjson"]).parse("csv")).toBe("csv");
  expect(FileName.parse("ç".repeat(255))).toHaveLength(255);
});
