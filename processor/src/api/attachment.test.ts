import { expect, it } from "vitest";
import { attachment } from "./attachment.ts";

it.each([
  ["a b.csv", 'attachment; filename="a b.csv"'],
  ["março (1).csv", "attachment; filename=\"mar_o (1).csv\"; filename*=UTF-8''mar%C3%A7o%20%281%29.csv"],
  ['a"; x="1.csv', "attachment; filename=\"a_; x=_1.csv\"; filename*=UTF-8''a%22%3B%20x%3D%221.csv"],
  ["a\r\nset-cookie: x.csv", 'attachment; filename="a__set-cookie: x.csv"'],
  ["../a\\b.csv", 'attachment; filename=".._a_b.csv"'],
  ["fdp.\u202Evsc", 'attachment; filename="fdp._vsc"'],
  ["\uD800.csv", "attachment; filename=\"_.csv\"; filename*=UTF-8''%EF%BF%BD.csv"],
  ["100%41.csv", "attachment; filename=\"100_41.csv\"; filename*=UTF-8''100%2541.csv"],
])("names a download for %j", (name, header) => expect(attachment(name)).toBe(header));
