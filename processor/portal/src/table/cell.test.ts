import { expect, it } from "vitest";
import { formatIn } from "../language/format.ts";
import { cellText } from "./cell.ts";

const text = (cell: string | number | boolean | null | undefined, type: string) =>
  cellText(cell, type, formatIn("pt-BR"), "sim", "não");

it("writes dates and times as they are, without a time zone", () => {
  expect(text("2024-01-31", "DATE")).toBe("31 de jan. de 2024");
  expect(text("2024-01-31 23:00:00", "TIMESTAMP")).toBe("31 de jan. de 2024 23:00:00");
  expect(text("2024-01-31T23:00:00.000Z", "TIMESTAMP WITH TIME ZONE")).toBe("31 de jan. de 2024 23:00:00");
});

it("keeps what is no date, and dates in a column of text", () => {
  expect(text("infinity", "DATE")).toBe("infinity");
  expect(text("2024-01-31", "VARCHAR")).toBe("2024-01-31");
});

it("writes numbers and truth in the language, and nothing for nothing", () => {
  expect([text(938.4, "DOUBLE"), text(true, "BOOLEAN"), text(false, "BOOLEAN")]).toEqual(["938,4", "sim", "não"]);
  expect([text(null, "DATE"), text(undefined, "DOUBLE"), text("", "VARCHAR")]).toEqual(["", "", ""]);
});
