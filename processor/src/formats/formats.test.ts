import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { type Format, formats, Upload } from "@cais/spec/upload.ts";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { bookOf } from "./excel-for-tests.ts";
import { contractOf, readAs } from "./reading-for-tests.ts";
import { zipOf } from "./zip-for-tests.ts";

const contract = contractOf({ a: "string", b: "string" });
const all = { formats: [...formats] };
const cell = (text: string) => `<c t="inlineStr"><is><t>${text}</t></is></c>`;
const book = bookOf({ sheet: `<row r="1">${cell("a")}${cell("b")}</row><row r="2">${cell("1")}${cell("2")}</row>` });

describe("what a file is", () => {
  it.each([
    ["csv", "a,b\n1,2\n", "x.json"],
    ["csv", "a;b\n1;2\n", "x.tsv.gz"],
    ["tsv", "a\tb\n1\t2\n", "x.txt"],
    ["tsv", "a\tb\n1\t2\n", "x"],
    ["csv", "[a],b,a\n1,2,3\n", "x.csv"],
    ["json", '[{"a":"1","b":"2"}]', "x.csv"],
    ["ndjson", '{"a":"1","b":"2"}\n', "x.csv"],
    ["xml", "<r><s><a>1</a><b>2</b></s></r>", "x.csv"],
    ["excel", book, "x.csv"],
  ] as const)("is told by its content: %s of %j called %s", async (format, content, name) => {
    const wide = contractOf({ b: "string" });
    const [file] = await readAs(content, name, wide, all);
    expect(file?.found.format).toBe(format);
    expect(file?.rows[0]?.slice(1)).toContain("2");
  });

  it.each([
    ["%PDF-1.7", "a PDF"],
    ["\u0089PNG\r\n", "a picture"],
    ["BZh91AY", "compressed by bzip2; gzip and zip are read"],
    ["\u00FD7zXZ\u0000", "compressed by xz; gzip and zip are read"],
    [`${"x".repeat(257)}ustar`, "a tar archive; gzip and zip of the files themselves are read"],
    ["SQLite format 3\u0000", "a SQLite database"],
    ["<!doctype HTML><p>", "a web page"],
  ])("%j is told by its name", async (content, what) => {
    await expect(readAs(Buffer.from(content, "latin1"), "x.csv", contract, { formats: ["csv"] })).rejects.toThrow(
      expect.objectContaining({
        name: "Unreadable",
        message: `The file is ${what}; the stack takes csv (.csv, .txt, each also as .gz, or .zip).`,
      }),
    );
  });

  it.each(formats.filter((format) => format !== "csv" && format !== "tsv"))(
    "is refused where the stack takes only %s",
    async (format: Format) => {
      await expect(readAs("a,b\n1,2\n", "x.csv", contract, { formats: [format] })).rejects.toThrow(
        /^The file is text of another kind; the stack takes /,
      );
    },
  );

  it.each([
    ["x.csv", ""],
    ["x.csv.gz", gzipSync("")],
  ])("is asked for where %s is empty", async (name, content) => {
    await expect(readAs(content, name, contract, all)).rejects.toThrow(
      "The file is empty; send one with at least one row.",
    );
  });
});

it("reads each file of a zip as what it is", async () => {
  const zip = zipOf({
    "1.csv": "a,b\n1,2\n",
    "2.json": '[{"a":"1","b":"2"}]',
    "3.xml": "<r><s><a>1</a><b>2</b></s></r>",
  });
  const files = await readAs(zip, "x.zip", contract, all);
  expect(files.map(({ member, found }) => [member, found.format])).toEqual([
    ["1.csv", "csv"],
    ["2.json", "json"],
    ["3.xml", "xml"],
  ]);
  for (const { rows } of files) expect(rows[0]?.slice(-2)).toEqual(["1", "2"]);
});

const example = async (language: string) =>
  new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(await readFile(resolve("docs/formats.md"), "utf8"))?.[1] ??
  "";

describe("the examples of docs/formats.md", () => {
  it("are a stack's", async () => {
    const { source }: { source: { upload: unknown } } = parse(await example("yaml"));
    expect(Upload.parse(source.upload)).toMatchObject({
      maxBytes: 500e6,
      maxExpandedBytes: 5e9,
      read: { json: { rows: "/data/items" }, xml: { row: "item" }, excel: { sheet: "Sales", header: 3 } },
    });
  });

  it("are read as it says", async () => {
    const keep = contractOf({ day: "date" }, { unknownColumns: "keep" });
    const [file] = await readAs(await example("xml"), "x.xml", keep, { formats: ["xml"] });
    expect(file?.header).toEqual(["day", "@id", "to/@kind", "to/city", "tag"]);
    expect(file?.rows).toEqual([[1, "2024-01-31", "7", "x", "Belém", '["p","q"]']]);
  });
});
