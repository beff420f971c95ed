import { expect, it } from "vitest";
import { isPublished } from "./published.ts";

const at = "2026-01-01T00:00:00.000Z";
const step = (name: string, finishedAt: string | null = at) => ({ name, startedAt: at, finishedAt });

it("says of a run whose delivery failed that its rows are in the tables", () => {
  expect(isPublished({ steps: [step("contract"), step("commit"), step("sinks/csv/x", null)] })).toBe(true);
});

it("says of a run that stopped before or in its commit that they are not", () => {
  expect(isPublished({ steps: [step("contract", null)] })).toBe(false);
  expect(isPublished({ steps: [step("contract"), step("commit", null)] })).toBe(false);
});
