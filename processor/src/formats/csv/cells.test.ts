import { expect, it } from "vitest";
import { parseRecord } from "./cells.ts";

it.each([
  ["a,b", ["a", "b"]],
  ["", [""]],
  [",", ["", ""]],
  ['"a,b",c', ["a,b", "c"]],
  ['"say ""hi""",""', ['say "hi"', ""]],
  ['"two\nlines",x', ["two\nlines", "x"]],
  ['5" pipe,6"', ['5" pipe', '6"']],
])("splits %j", (row, cells) => expect(parseRecord(row)).toEqual(cells));
