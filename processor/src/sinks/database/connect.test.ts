import { DatabaseError } from "pg";
import { expect, it } from "vitest";
import { faultOf } from "./connect.ts";

const fault = (code: string, more: Partial<DatabaseError> = {}) =>
  faultOf(Object.assign(new DatabaseError("the cell 123-45", 1, "error"), { code, ...more }), "write to t");

it.each([
  ["22P02", "it refuses a value"],
  ["23505", "it refuses a value"],
  ["28P01", "it refuses the user, the password or where it is called from"],
  ["3D000", "there is no such database"],
  ["P0001", "it refuses it; its own log tells why"],
  ["38000", "it refuses it; its own log tells why"],
  ["XX000", "it refuses it; its own log tells why"],
  ["42501", "the cell 123-45"],
])("tells of SQLSTATE %s only what can hold no cell", (code, why) => {
  expect(fault(code)).toMatchObject({
    name: "DeliveryRefused",
    message: `Could not write to t: ${why} (SQLSTATE ${code}).`,
  });
});

it("tells row and column, and not what is there", () => {
  const { message } = fault("22P02", { where: 'COPY cais_staging, line 3, column amount: "123-45"' });
  expect(message).toBe("Could not write to t, row 3, column amount: it refuses a value (SQLSTATE 22P02).");
});

it.each(["08006", "40P01", "53300", "57P01"])("tries again after SQLSTATE %s", (code) => {
  expect(fault(code)).toMatchObject({ name: "DeliveryDelayed", message: expect.not.stringContaining("123-45") });
});
