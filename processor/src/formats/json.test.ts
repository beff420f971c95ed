import { describe, expect, it } from "vitest";
import { contractOf, readAs } from "./reading-for-tests.ts";

const contract = contractOf({ a: "integer", b: "string" });
const read = async (content: string | Uint8Array, pointer = "", change = contract) => {
  const [file] = await readAs(content, "file.json", change, { formats: ["json"], read: { json: { rows: pointer } } });
  return file;
};

describe("a JSON document", () => {
  it("has a row for each object of its array, in whatever white space", async () => {
    const file = await read('\uFEFF [ {"a":1,"b":"x"} ,\r\n\t{"b" : "y, z" , "a" : 2}\n]\n');
    expect(file?.header).toEqual(["a", "b"]);
    expect(file?.rows).toEqual([
      [1, "1", "x"],
      [2, "2", "y, z"],
    ]);
    expect(file?.found).toEqual({ format: "json" });
  });

  it.each([
    [
      "/data/items",
      '{"meta":{"data":{"items":1}},"data":{"n":[1,{"items":[]}],"items":[{"a":1,"b":"x"}],"next":null}}',
    ],
    ["/1", '[{"x":1},[{"a":1,"b":"x"}],3]'],
    ["/a~1b/~0", '{"a/b":{"~":[{"a":1,"b":"x"}]}}'],
    ["/é", '{"\\u00e9":[{"a":1,"b":"x"}]}'],
  ])("has its rows at %s", async (pointer, content) => {
    expect((await read(content, pointer))?.rows).toEqual([[1, "1", "x"]]);
  });

  it("may be in UTF-16, with or without a mark", async () => {
    const text = '[{"a":1,"b":"é"}]';
    for (const content of [
      Buffer.from(`\uFEFF${text}`, "utf16le"),
      Buffer.from(text, "utf16le"),
      Buffer.from(`\uFEFF${text}`, "utf16le").swap16(),
    ])
      expect((await read(content))?.rows).toEqual([[1, "1", "é"]]);
  });

  it("is the same wherever the reader's pieces end", async () => {
    const rows = Array.from({ length: 60_000 }, (_, n) => `{"a": ${n}, "b": "${'é\\"]},'.repeat(n % 11)}"}`);
    const file = await read(`[${rows.join(",\n")}]`);
    expect(file?.refused).toEqual([]);
    expect(file?.rows).toHaveLength(rows.length);
    expect(file?.rows[10]).toEqual([11, "10", 'é"]},'.repeat(10)]);
    expect(file?.rows.every(([number, a], n) => number === n + 1 && a === String(n))).toBe(true);
  }, 60_000);

  it("refuses a row that is none, and the others go on", async () => {
    const row = '{"a":1,"b":"x"}';
    const bad = [
      "7",
      "[1]",
      '{"a":1,"a":2}',
      '{"a":1',
      "nul",
      '{"b":"\\u0000"}',
      '{"b":"\\ud800"}',
      `{"b":${"[".repeat(70)}${"]".repeat(70)}}`,
    ];
    // An open brace would take in what follows, so it is last and ends the document early.
    const file = await read(`[${row},${bad.filter((text) => text !== '{"a":1').join(",")},${row}]`);
    expect(file?.rows).toEqual([
      [1, "1", "x"],
      [9, "1", "x"],
    ]);
    expect(file?.refused.map(([number, reason]) => [number, reason])).toEqual([
      [2, "The row is the single value 7, not an object with a key for each column."],
      [3, "The row is an array, not an object with a key for each column."],
      [4, 'The row has the key "a" twice.'],
      [5, "The row is not JSON: Unexpected end of JSON input."],
      [6, "The row holds a zero byte."],
      [7, "The row holds half a character (a lone surrogate)."],
      [8, "The row is nested more than 64 levels deep."],
    ]);
  });

  it("refuses a row longer than a megabyte, and the others go on", async () => {
    const file = await read(`[{"a":1,"b":"${"x".repeat(3_000_000)}"},{"a":2,"b":"y"}]`);
    expect(file?.rows).toEqual([[2, "2", "y"]]);
    expect(file?.refused.map(([number, reason]) => [number, reason])).toEqual([
      [1, "The row is longer than 1,000,000 bytes."],
    ]);
    expect(String(file?.refused[0]?.[2]).length).toBe(4000);
  });

  it.each([
    ["cut off in a row", '[{"a":1', "The JSON document is cut off in or after row 1; send it again."],
    ["cut off after a row", '[{"a":1}', "The JSON document is cut off in or after row 1; send it again."],
    ["cut off after the rows", '{"x":[{"a":1}]', "The JSON document is damaged or cut off; send it again.", "/x"],
    ["with text after it", '[{"a":1}] x', "The JSON document is damaged or cut off; send it again."],
    ["closed wrongly", '[{"a":1}}', "The JSON document is damaged or cut off; send it again."],
    ["with a comma too many", '[{"a":1},]', "The JSON document has a comma too many after row 1."],
    ["with a comma first", '[,{"a":1}]', "The JSON document has a comma too many after row 0."],
    [
      "of an object",
      '{"a":1}',
      "The top of the JSON document is an object, not an array of rows; the stack's read.json.rows says where they are.",
    ],
    [
      "without the rows' place",
      '{"x":1}',
      '"/y" of the JSON document is not an array of rows; the stack\'s read.json.rows says where they are.',
      "/y",
    ],
    ["with the rows' place twice", '{"x":[{"a":1}],"x":[{"a":2}]}', 'The JSON document has "/x" twice.', "/x"],
    ["of an empty array", "[]", "The file has no rows; send one with at least one row."],
    ["too deep", `{"y":${"[".repeat(100_000)}`, "The JSON document is nested more than 64 levels deep.", "/x"],
    [
      "of other rows",
      '[{"x":1},{"y":2}]',
      'No row has any of the 2 columns expected; is it the right file? Its rows have "x", "y".',
    ],
    [
      "with much beside the rows",
      `{"y":"${"z".repeat(2_000_000)}","x":[]}`,
      'The JSON document holds more than 1,000,000 bytes beside its rows, before "/x"; send the rows alone.',
      "/x",
    ],
  ])("%s cannot be read", async (_, content, message, pointer = "") => {
    await expect(read(content, pointer)).rejects.toThrow(expect.objectContaining({ name: "Unreadable", message }));
  });
});

const cell = async (json: string, change = contract) => (await read(`[{"b":${json}}]`, "", change))?.rows[0]?.[2];

const wide = (count: number) => `{"a":1,${Array.from({ length: count - 1 }, (_, n) => `"k${n}":0`).join(",")}}`;

describe("cells of JSON", () => {
  it.each([
    ['"text"', "text"],
    ['"\\u00e9\\n\\"\\\\"', 'é\n"\\'],
    ["12345678901234567890.123456789", "12345678901234567890.123456789"],
    ["-1.50e+3", "-1.50e+3"],
    ["true", "true"],
    ["null", null],
    ['{ "x" : [ 1.10 , "a b" ] , "y" : { } }', '{"x":[1.10,"a b"],"y":{}}'],
    ["[ ]", "[]"],
  ])("%s is %j", async (json, text) => expect(await cell(json)).toBe(text));

  it("are written as the contract writes numbers, unless they are text", async () => {
    const comma = contractOf({ a: "double", b: "string" }, { decimal: ",", thousands: "." });
    expect((await read('[{"a":1.234,"b":1.234},{"a":"1,5","b":"1.5"}]', "", comma))?.rows).toEqual([
      [1, "1,234", "1.234"],
      [2, "1,5", "1.5"],
    ]);
  });

  it("of keys that the contract does not name are dropped or kept", async () => {
    const content = '[{"a":1,"z":{"q":1}},{"y":"2","b":"x"},{"__proto__":"p"}]';
    expect((await read(content))?.header).toEqual(["a", "b"]);
    const kept = await read(content, "", contractOf({ a: "integer", b: "string" }, { unknownColumns: "keep" }));
    expect(kept?.header).toEqual(["a", "b", "z", "y", "__proto__"]);
    expect(kept?.rows).toEqual([
      [1, "1", null, '{"q":1}', null, null],
      [2, null, "x", null, "2", null],
      [3, null, null, null, null, "p"],
    ]);
  });

  it("have at most 4,096 keys", async () => {
    const file = await read(`[${wide(4096)},${wide(4097)}]`);
    expect(file?.rows).toHaveLength(1);
    expect(file?.refused.map(([number, reason]) => [number, reason])).toEqual([
      [2, "The row has more than 4,096 columns."],
    ]);
    const keep = contractOf({ a: "integer" }, { unknownColumns: "keep" });
    await expect(
      read(`[${wide(4000)},{"a":1,${Array.from({ length: 100 }, (_, n) => `"l${n}":0`).join(",")}}]`, "", keep),
    ).rejects.toThrow("more than 4,096 different columns");
  });
});
