import { expect, it } from "vitest";
import { record } from "../conformance.ts";
import { Budget } from "./index.ts";

it("makes nothing", async () => {
  const { created, warnings } = await record(
    () => void new Budget("inmet", { stack: "inmet", monthly: 50, currency: "USD" }),
  );
  expect({ created, warnings }).toEqual({ created: [], warnings: [] });
});
