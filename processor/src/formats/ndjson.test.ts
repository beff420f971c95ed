import { describe, expect, it } from "vitest";
import { contractOf, readAs } from "./reading-for-tests.ts";

const contract = contractOf({ a: "integer", b: "string" });
const read = async (content: string | Uint8Array) => {
  const [file] = await readAs(content, "file.ndjson", contract, { formats: ["ndjson"] });
  return file;
};

describe("newline-delimited JSON", () => {
  it("has a row a line, numbered as an editor shows them; blank lines are none", async () => {
    const file = await read('\uFEFF{"a":1}\r\n\n  \n{"b":"x\\ny","a":2}');
    expect(file?.rows).toEqual([
      [1, "1", null],
      [4, "2", "x\ny"],
    ]);
    expect(file?.refused).toEqual([]);
    expect(file?.found).toEqual({ format: "ndjson" });
  });

  it("refuses a line that is no row, and the others go on", async () => {
    const content = Buffer.concat([
      Buffer.from('{"a":1}\n{"a":\n'),
      Buffer.from('{"b":"caf\u{E9}"}\n', "latin1"),
      Buffer.from('{"b":"x\0"}\n{"a":2}\n'),
    ]);
    const file = await read(content);
    expect(file?.rows.map(([number]) => number)).toEqual([1, 5]);
    expect(file?.refused).toEqual([
      [2, "The row is not JSON: Unexpected end of JSON input.", '{"a":'],
      [3, "The row is not in UTF-8.", '{"b":"caf\u{FFFD}"}'],
      [4, "The row holds a zero byte.", '{"b":"x\u{FFFD}"}'],
    ]);
  });

  it("refuses a line longer than a megabyte, wherever the pieces end, and the others go on", async () => {
    const long = `{"b":"${"x".repeat(2_500_000)}"}`;
    const file = await read(`{"a":1}\n${long}\n{"a":3}\n${long}`);
    expect(file?.rows.map(([number]) => number)).toEqual([1, 3]);
    expect(file?.refused).toEqual([
      [2, "The row is longer than 1,000,000 bytes.", long.slice(0, 4000)],
      [4, "The row is longer than 1,000,000 bytes.", long.slice(0, 4000)],
    ]);
  });

  it.each([
    [
      "blank lines",
      "\n \n",
      "The file is text of another kind; the stack takes ndjson (.ndjson, .jsonl, .json, each also as .gz, or .zip).",
    ],
    ["nothing", "", "The file is empty; send one with at least one row."],
  ])("of %s cannot be read", async (_, content, message) => {
    await expect(read(content)).rejects.toThrow(expect.objectContaining({ name: "Unreadable", message }));
  });
});

const both = (content: string, name = "file.json", rows = "") =>
  readAs(content, name, contract, { formats: ["json", "ndjson"], read: { json: { rows } } });

const only = (content: string, format: "json" | "ndjson") => readAs(content, "x", contract, { formats: [format] });

describe("the choice between JSON and NDJSON", () => {
  it.each([
    ["json", '[{"a":1}]', "x.ndjson", ""],
    ["ndjson", '{"a":1}\n{"a":2}', "x.json", ""],
    ["ndjson", '{"a":1}', "x.json", ""],
    ["json", '{"d":[{"a":1}]}', "x.json", "/d"],
    ["json", '{\n"d":[{"a":1}]}', "x.json", "/d"],
  ])("is %s for %j", async (format, content, name, rows) => {
    expect((await both(content, name, rows))[0]?.found).toEqual({ format });
  });
  it("is told where the stack takes but one", async () => {
    await expect(only('{"a":1}\n{"a":2}', "json")).rejects.toThrow(
      "The file is newline-delimited JSON; the stack takes json",
    );
    await expect(only('[{"a":1}]', "ndjson")).rejects.toThrow("The file is JSON; the stack takes ndjson");
  });
});
