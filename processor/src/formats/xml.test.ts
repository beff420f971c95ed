import { describe, expect, it } from "vitest";
import { contractOf, readAs } from "./reading-for-tests.ts";

const contract = contractOf({ a: "integer", b: "string" });
const read = async (content: string | Uint8Array, row?: string, change = contract) => {
  const [file] = await readAs(content, "file.xml", change, { formats: ["xml"], read: { xml: { row } } });
  return file;
};
const keep = contractOf({ a: "integer" }, { unknownColumns: "keep" });

describe("an XML document", () => {
  it("has a row for each child of its root", async () => {
    const file = await read(
      '\uFEFF<?xml version="1.0"?>\n<!-- sales --><sales>\n <sale><a>1</a><b>x &amp; y</b></sale>\n <sale><b><![CDATA[<z>]]></b><a>2</a></sale></sales>\n',
    );
    expect(file?.rows).toEqual([
      [1, "1", "x & y"],
      [2, "2", "<z>"],
    ]);
    expect(file?.found).toEqual({ format: "xml" });
  });

  it("has a row for each element of the name that the stack gives, however deep", async () => {
    const file = await read("<r><m><a>9</a></m><l><row><a>1</a></row></l><l><row><a>2</a></row></l></r>", "row");
    expect(file?.rows.map(([, a]) => a)).toEqual(["1", "2"]);
  });

  it("gives attributes and what is nested a name by their path", async () => {
    const file = await read(
      '<r><row id="7" xmlns="urn:x"><a>1</a><to kind="x"><city>Bel\u{E9}m</city></to><t>p</t><t>q</t><e/> </row></r>',
      undefined,
      keep,
    );
    expect(file?.header).toEqual(["a", "@id", "to/@kind", "to/city", "t", "e"]);
    expect(file?.rows).toEqual([[1, "1", "7", "x", "Bel\u{E9}m", '["p","q"]', null]]);
  });

  it.each([
    ["ISO-8859-1", Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><r><s><b>\u{E9}</b></s></r>', "latin1")],
    ["UTF-16", Buffer.from('\uFEFF<?xml version="1.0" encoding="UTF-16"?><r><s><b>\u{E9}</b></s></r>', "utf16le")],
    ["UTF-8", Buffer.from("<r><s><b>\u{E9}</b></s></r>")],
  ])("may be in %s", async (_, content) => {
    expect((await read(content))?.rows).toEqual([[1, null, "\u{E9}"]]);
  });

  it("refuses a row that is too long or too wide, and the others go on", async () => {
    const long = `<s><b>${"x".repeat(1_000_001)}</b></s>`;
    const wide = `<s>${Array.from({ length: 4097 }, (_, n) => `<c${n}/>`).join("")}</s>`;
    const many = `<s>${"<b>1234567890</b>".repeat(100_001)}</s>`;
    const file = await read(`<r><s><a>1</a></s>${long}${wide}${many}<s><a>5</a></s></r>`);
    expect(file?.rows.map(([number]) => number)).toEqual([1, 5]);
    expect(file?.refused.map(([number, reason]) => [number, reason])).toEqual([
      [2, "The row is longer than 1,000,000 bytes."],
      [3, "The row has more than 4,096 columns."],
      [4, "The row is longer than 1,000,000 bytes."],
    ]);
  });

  it.each([
    [
      "cut off",
      "<r><s><a>1</a></s>",
      /^The XML document is not well-formed at line and column 1:\d+: unclosed tag: r\.?$/,
    ],
    [
      "with an entity of its own",
      '<!DOCTYPE r [<!ENTITY x "y">]><r><s><a>&x;</a></s></r>',
      /declares entities or elements of its own in its DOCTYPE/,
    ],
    [
      "with an external entity",
      '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><s><a>&x;</a></s></r>',
      /declares entities or elements of its own/,
    ],
    ["with an unknown entity", "<r><s><a>&x;</a></s></r>", /undefined entity/],
    ["nested deeply", "<x>".repeat(100_000), /^The XML document is nested more than 64 levels deep\.$/],
    [
      "with a tag that never ends",
      `<r><s ${"a".repeat(5_000_000)}`,
      /a piece of text or a tag longer than 2,000,000 characters/,
    ],
    [
      "with a comment that never ends",
      `<r><!-- ${"a".repeat(5_000_000)}`,
      /a piece of text or a tag longer than 2,000,000 characters/,
    ],
    [
      "in another encoding than it says",
      Buffer.from("<r><s><b>\u{E9}</b></s></r>", "latin1"),
      /^The XML document is not in the encoding utf-8\.$/,
    ],
    [
      "in an encoding that is none",
      '<?xml version="1.0" encoding="no-such"?><r/>',
      /^The XML document is not in the encoding that it declares\.$/,
    ],
    ["of a root alone", "<r>text</r>", /has no rows: its root has no elements/],
    ["of a web page", "<!DOCTYPE html><html></html>", /^The file is a web page; the stack takes xml/],
  ])("%s cannot be read", async (_, content, message) => {
    await expect(read(content)).rejects.toThrow(
      expect.objectContaining({ name: "Unreadable", message: expect.stringMatching(message) }),
    );
  });

  it("says which element it lacks", async () => {
    await expect(read("<r><s/></r>", "row")).rejects.toThrow(
      'has no element "row", which is what the stack\'s read.xml.row names',
    );
  });

  it("never fetches the document type that it names", async () => {
    expect((await read('<!DOCTYPE r SYSTEM "http://127.0.0.1:1/r.dtd"><r><s><a>1</a></s></r>'))?.rows).toEqual([
      [1, "1", null],
    ]);
  });
});
