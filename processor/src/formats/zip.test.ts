import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { contractOf, readAs } from "./reading-for-tests.ts";
import { handMade, zipOf } from "./zip-for-tests.ts";

const contract = contractOf({ a: "integer", b: "string" });
const formats = ["csv", "ndjson"] as const;
const upload = { formats: [...formats], maxBytes: 1_000_000, maxExpandedBytes: 3_000_000 };
const read = (content: Uint8Array | ((path: string) => Promise<void>), name = "file.zip") =>
  readAs(content, name, contract, upload);
const two = '{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n';

describe("a zip", () => {
  it("gives the records of each of its files, in its order; what systems add is none", async () => {
    const zip = zipOf({
      "b.csv": two,
      "__MACOSX/._b.csv": "x",
      ".DS_Store": "x",
      "folder/a.ndjson": '{"a":3}',
      "Thumbs.db": "x",
    });
    const files = await read(zip);
    expect(files.map(({ member, found, rows }) => [member, found.format, rows])).toEqual([
      [
        "b.csv",
        "ndjson",
        [
          [1, "1", "x"],
          [2, "2", "y"],
        ],
      ],
      ["folder/a.ndjson", "ndjson", [[1, "3", null]]],
    ]);
  });

  it("may name its files as it likes: nothing is written by these names", async () => {
    const names = ["\u0430.csv", "a.csv", "A.csv", "con.csv", "%2e%2e.csv", "a.csv ", "'; DROP TABLE input;--.csv"];
    const files = await read(zipOf(Object.fromEntries(names.map((name) => [name, two]))));
    expect(files.map(({ member }) => member)).toEqual(names);
  });

  it("made by hand is read, so that its lies below are what is refused", async () => {
    expect((await read(handMade([{ content: two }])))[0]?.rows).toHaveLength(2);
  });

  it.each([
    [
      "a symbolic link",
      { mode: 0o120_777 },
      /^The zip holds "a\.csv", which is no ordinary file but a link or a device; put the file itself into the zip\.$/,
    ],
    [
      "an encrypted file",
      { flags: 0x801 },
      /^The zip holds "a\.csv", which is encrypted; send it without a password\.$/,
    ],
    [
      "another compression",
      { method: 14 },
      /^The zip holds "a\.csv", which is compressed by method 14; only deflate is read/,
    ],
    [
      "a name upwards",
      { name: "../../a.csv" },
      /^The zip holds a file whose name leads out of the zip \(invalid relative path: \.\.\/\.\.\/a\.csv\)/,
    ],
    [
      "an absolute name",
      { name: "/etc/a.csv" },
      /^The zip holds a file whose name leads out of the zip \(absolute path: \/etc\/a\.csv\)/,
    ],
    [
      "a name with a drive",
      { name: "C:\\a.csv" },
      /^The zip holds a file whose name leads out of the zip \(absolute path: C:\/a\.csv\)/,
    ],
    [
      "a name of 1,000 characters",
      { name: "a".repeat(1000) },
      /^The zip holds "a{99}…", whose name is longer than 500 characters; shorten it\.$/,
    ],
    ["a name that turns the text around", { name: "a\u{202E}vsc.exe" }, /whose name has control characters; rename it/],
    ["a name with a zero byte", { name: "a\0.csv" }, /whose name has control characters; rename it/],
    ["a wrong checksum", { crc: 1 }, /the checksum of "a\.csv" is wrong/],
    [
      "less than it says",
      { size: 500 },
      /^"a\.csv" in the zip cannot be read: The zip is damaged or cut off \(not enough bytes in the stream/,
    ],
    [
      "more than it says",
      { size: 3 },
      /^"a\.csv" in the zip cannot be read: The zip is damaged or cut off \(too many bytes in the stream/,
    ],
    [
      "more than the stack takes, as it says",
      { size: 2 ** 32 - 2 },
      /^The file holds more than the 3,000,000 bytes that the stack takes once a file is decompressed/,
    ],
  ])("with %s is refused", async (_, lies, message) => {
    await expect(read(handMade([{ content: two, ...lies }]))).rejects.toThrow(
      expect.objectContaining({
        name: "Unreadable",
        message: expect.stringMatching(message),
      }),
    );
  });

  it.each([
    [
      "files laid over each other",
      handMade([{ content: two }, { content: two, name: "b.csv", offset: 0 }]),
      /^The zip lays "b\.csv" over another of its files/,
    ],
    ["a file twice", handMade([{ content: two }, { content: two }]), /^The zip holds "a\.csv" twice/],
    [
      "a file twice, in two forms of Unicode",
      handMade([
        { content: two, name: "\u{E9}" },
        { content: two, name: "e\u{301}" },
      ]),
      /^The zip holds "\u{E9}" twice/u,
    ],
    [
      "a zip in it",
      zipOf({ "a.csv": handMade([{ content: two }]) }),
      /^"a\.csv" in the zip cannot be read: The file holds a zip inside a compressed file; compress it once\./,
    ],
    [
      "a gzip in it",
      zipOf({ "a.csv.gz": gzipSync(two) }),
      /^"a\.csv\.gz" in the zip cannot be read: The file holds a gzip inside a compressed file/,
    ],
    ["no file", zipOf({}), /^The zip holds no file/],
    [
      "a file of another kind",
      zipOf({ "a.csv": two, "b.pdf": "%PDF-1.7 " }),
      /^"b\.pdf" in the zip cannot be read: The file is a PDF; the stack takes csv, ndjson/,
    ],
    ["a document of Word in it", zipOf({ "word/document.xml": "<x/>" }), /^The file is a Word document/],
    [
      "more than it may hold in all",
      zipOf({ "a.csv": `${'{"a":1}\n'.repeat(200_000)}`, "b.csv": `${'{"a":1}\n'.repeat(200_000)}` }),
      /^The file holds more than the 3,000,000 bytes/,
    ],
    ["its end cut off", handMade([{ content: two }]).subarray(0, -30), /^The zip is damaged or cut off \(/],
  ])("with %s is refused", async (_, content, message) => {
    await expect(read(content)).rejects.toThrow(
      expect.objectContaining({ name: "Unreadable", message: expect.stringMatching(message) }),
    );
  });

  it("with more than 8,000 files is refused", async () => {
    const many = handMade(Array.from({ length: 8001 }, (_, n) => ({ content: two, name: `${n}.csv` })));
    await expect(read(many)).rejects.toThrow(
      "The zip holds 8,001 files, but at most 8,000 are taken; send it in parts.",
    );
  });
});

describe("a gzip file", () => {
  const gzip = gzipSync(two);
  it.each([
    ["one member", gzip, [1, 2]],
    ["several members", Buffer.concat([gzip, gzipSync('{"a":3}\n'), gzipSync('{"a":4}\n')]), [1, 2, 3, 4]],
    ["padding", Buffer.concat([gzip, Buffer.alloc(512)]), [1, 2]],
  ])("of %s is read", async (_, content, numbers) => {
    const [file] = await read(content, "file.csv.gz");
    expect(file?.rows.map(([number]) => number)).toEqual(numbers);
    expect(file?.member).toBeNull();
  });

  it.each([
    ["cut off", gzip.subarray(0, -6), /^The gzip file is cut off; it did not arrive whole, so send it again\.$/],
    [
      "followed by something else",
      Buffer.concat([gzip, Buffer.from('{"a":3}')]),
      /^The gzip file is damaged \(incorrect header check\)/,
    ],
    [
      "with a wrong checksum",
      Buffer.concat([gzip.subarray(0, -8), Buffer.alloc(8)]),
      /^The gzip file is damaged \(incorrect data check\)/,
    ],
    ["of nothing", gzipSync(""), /^The file is empty/],
    ["in a gzip", gzipSync(gzip), /^The file holds a gzip inside a compressed file; compress it once\.$/],
    [
      "of more than the stack takes",
      gzipSync(`${'{"a":1}\n'.repeat(400_000)}`),
      /^The file holds more than the 3,000,000 bytes that the stack takes/,
    ],
  ])("%s is refused", async (_, content, message) => {
    await expect(read(content, "file.csv.gz")).rejects.toThrow(
      expect.objectContaining({ name: "Unreadable", message: expect.stringMatching(message) }),
    );
  });
});
