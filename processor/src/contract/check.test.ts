import type { Column } from "@cais/spec/stack.ts";
import { expect, it } from "vitest";
import { placeColumns } from "./check.ts";

const columns = (...from: string[]): Column[] =>
  from.map((title, n) => ({ name: `c${n}`, from: title, type: "string", required: false }));

it("finds columns by their title, whatever their order and the way their accents are written", () => {
  expect(placeColumns(columns(" Preço", "b"), ["x", "b", "Pre\u{E7}o"])).toEqual([2, 1]);
  expect(placeColumns(columns("Prec\u{327}o"), ["Pre\u{E7}o"])).toEqual([0]);
});

it.each([
  [["a", "b"], 'The header row lacks "c", "d"; it has "a", "b".'],
  [["c", "d", "c"], 'The header row has "c" more than once; name each column once.'],
])("cannot read a file with the header %j", (header, message) => {
  expect(() => placeColumns(columns("c", "d"), header)).toThrow(
    expect.objectContaining({ name: "Unreadable", message }),
  );
});
