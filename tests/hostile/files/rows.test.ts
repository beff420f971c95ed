import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { TableRows } from "@cais/spec/api.ts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Attacked, outcome, startAttacked } from "./attacked.ts";

/** Length of a line that never ends. `CAIS_HOSTILE_BYTES=2000000000` makes it the 2 GB that the product promises, as CI does. */
const LINE_BYTES = Number(process.env["CAIS_HOSTILE_BYTES"] ?? 30e6);

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked("rows");
});
afterEach(() => attacked.check());
afterAll(() => attacked?.stop());

const header = "day,amount,note\n";
const good = "2024-01-31,1,x\n";
const json = '{"day":"2024-01-31","amount":1,"note":"x"}';
const xml = "<s><day>2024-01-31</day><amount>1</amount></s>";
const cell = "x".repeat(10_000_000);

/** Writes a line of LINE_BYTES between a start and an end. */
const endless = (start: string, end: string) => (path: string) =>
  pipeline(Readable.from(pieces(start, end)), createWriteStream(path));
function* pieces(start: string, end: string) {
  yield Buffer.from(start);
  const piece = Buffer.alloc(1_000_000, "x");
  for (let bytes = 0; bytes < LINE_BYTES; bytes += piece.length) yield piece;
  yield Buffer.from(end);
}

const many = (make: (n: number) => string) => Array.from({ length: 100_000 }, (_, n) => make(n));
const deep = (open: string, close: string) => `${open.repeat(100_000)}${close.repeat(100_000)}`;

describe("a cell of 10 MB", () => {
  it.each([
    ["CSV", `${header}${good}2024-01-31,1,${cell}\n${good}`, "a.csv"],
    ["quoted CSV", `${header}${good}2024-01-31,1,"${cell}\n"\n${good}`, "a.csv"],
    ["JSON", `[${json},{"day":"2024-01-31","note":"${cell}"},${json}]`, "a.json"],
    ["NDJSON", `${json}\n{"day":"2024-01-31","note":"${cell}"}\n${json}`, "a.ndjson"],
  ])("of %s is one refused row", async (_, content, name) => {
    expect(outcome(await attacked.send(content, name))).toBe("done: 3 read, 2 clean");
  });
  it("of XML makes the file unreadable: a reader would have to hold it", async () => {
    const content = `<r>${xml}<s><note>${cell}</note></s>${xml}</r>`;
    expect(outcome(await attacked.send(content, "a.xml"))).toMatch(
      /^quarantined: The XML document has a piece of text or a tag longer than 2,000,000/,
    );
  });
});

describe(`a line of ${LINE_BYTES.toLocaleString("en")} bytes`, () => {
  it.each([
    [
      "a CSV's only one",
      endless("", ""),
      "a.csv",
      /^quarantined: The file has no header row: its first line never ends/,
    ],
    ["a CSV's row", endless(`${header}${good}`, `\n${good}`), "a.csv", /^done: 3 read, 2 clean/],
    ["a CSV's quoted cell", endless(`${header}${good}2024-01-31,1,"`, `"\n${good}`), "a.csv", /^done: 3 read, 2 clean/],
    ["an open quote", endless(`${header}${good}2024-01-31,1,"`, ""), "a.csv", /^done: 2 read, 1 clean/],
    ["NDJSON's row", endless(`${json}\n{"note":"`, `"}\n${json}`), "a.ndjson", /^done: 3 read, 2 clean/],
    ["JSON's row", endless(`[${json},{"note":"`, `"},${json}]`), "a.json", /^done: 3 read, 2 clean/],
    ["JSON's key", endless('{"', '":[]}'), "a.json", /^quarantined: The .*JSON document/],
    [
      "XML's text",
      endless(`<r>${xml}<s><note>`, "</note></s></r>"),
      "a.xml",
      /^quarantined: The XML document has a piece of text or a tag longer/,
    ],
    [
      "XML's tag",
      endless(`<r>${xml}<s><`, "/></s></r>"),
      "a.xml",
      /^quarantined: The XML document has a piece of text or a tag longer/,
    ],
  ])(
    "as %s ends well",
    async (_, content, name, expected) => {
      expect(outcome(await attacked.send(content, name))).toMatch(expected);
    },
    300_000,
  );
});

describe("100,000 columns", () => {
  it.each([
    [
      "in CSV's header",
      `${many((n) => `c${n}`).join(",")}\n1\n`,
      "a.csv",
      /^quarantined: The file has 100,000 columns/,
    ],
    ["in a row of CSV", `${header}${good}${",".repeat(99_999)}\n${good}`, "a.csv", /^done: 3 read, 2 clean/],
    [
      "in a row of JSON",
      `[${json},{${many((n) => `"c${n}":1`).join(",")}},${json}]`,
      "a.json",
      /^done: 3 read, 2 clean/,
    ],
    [
      "in rows of NDJSON",
      many((n) => `{"day":"2024-01-31","c${n}":1}`).join("\n"),
      "a.ndjson",
      /^quarantined: The file's rows have more than 4,096 different columns/,
    ],
    [
      "in a row of XML",
      `<r>${xml}<s>${many((n) => `<c${n}/>`).join("")}</s>${xml}</r>`,
      "a.xml",
      /^done: 3 read, 2 clean/,
    ],
    [
      "as attributes of XML",
      `<r>${xml}<s ${many((n) => `c${n}=""`).join(" ")}/>${xml}</r>`,
      "a.xml",
      /^done: 3 read, 2 clean/,
    ],
  ])("%s end well", async (_, content, name, expected) => {
    expect(outcome(await attacked.send(content, name, "kept"))).toMatch(expected);
  });
});

describe("nesting", () => {
  it.each([
    ["a row of JSON", `[${json},{"note":${deep("[", "]")}}]`, "a.json", /^done: 2 read, 1 clean/],
    [
      "a row of NDJSON",
      `${json}\n{"note":${deep('{"a":', "}").replace(":}", ":1}")}}\n`,
      "a.ndjson",
      /^done: 2 read, 1 clean/,
    ],
    ["a JSON document", deep('{"a":', "}"), "a.json", /^quarantined: /],
    ["XML", deep("<a>", "</a>"), "a.xml", /^quarantined: The XML document is nested more than 64 levels deep/],
  ])("of 100,000 levels in %s ends well", async (_, content, name, expected) => {
    expect(outcome(await attacked.send(content, name))).toMatch(expected);
  });
});

describe("entities of XML", () => {
  const lol = Array.from({ length: 9 }, (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(10)}">`).join("");
  it.each([
    ["that grow", `<!DOCTYPE r [<!ENTITY l0 "lol">${lol}]><r><s><note>&l9;</note></s></r>`],
    [
      "of one long text",
      `<!DOCTYPE r [<!ENTITY a "${"a".repeat(100_000)}">]><r><s><note>${"&a;".repeat(100_000)}</note></s></r>`,
    ],
    ["of a file", '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r><s><note>&a;</note></s></r>'],
    ["of an address", '<!DOCTYPE r [<!ENTITY % a SYSTEM "http://127.0.0.1:1/a">%a;]><r><s><note>x</note></s></r>'],
    ["that contain themselves", '<!DOCTYPE r [<!ENTITY a "&b;"><!ENTITY b "&a;">]><r><s><note>&a;</note></s></r>'],
    ["that are not declared", "<r><s><note>&a;</note></s></r>"],
  ])("%s are not resolved", async (_, content) => {
    expect(outcome(await attacked.send(content, "a.xml"))).toMatch(
      /^quarantined: The XML document (declares entities|is not well-formed)/,
    );
  });
});

describe("bytes that are no text, or in another encoding", () => {
  const rows = header + good;
  const latin1 = Buffer.from("2024-01-31,1,caf\u{E9}\n", "latin1");
  it.each([
    ["a file of zeros", Buffer.alloc(1_000_000), "a.csv", /^quarantined: The file is not text/],
    [
      "noise",
      Buffer.from(Array.from({ length: 100_000 }, (_, n) => (n * 7919 + (n >> 3)) & 0xff)),
      "a.csv",
      /^quarantined: /,
    ],
    ["a zero in the header", "day,amo\0unt,note\n2024-01-31,1,x\n", "a.csv", /^quarantined: /],
    ["a zero in a cell", `${rows}2024-01-31,1,\0\n`, "a.csv", /^done: 2 read, 1 clean/],
    [
      "overlong UTF-8",
      Buffer.concat([Buffer.from(`${rows}2024-01-31,1,`), Buffer.from([0xc0, 0xaf, 0x0a])]),
      "a.csv",
      /^done: 2 read, 2 clean/,
    ],
    [
      "UTF-8 and Latin-1 mixed",
      Buffer.concat([Buffer.from(`${rows}2024-01-31,1,é\n`), latin1]),
      "a.csv",
      /^done: 3 read, 2 clean/,
    ],
    [
      "UTF-16 that ends in half a character",
      Buffer.concat([Buffer.from(`\uFEFF${rows}`, "utf16le"), Buffer.from([0x41])]),
      "a.csv",
      /^done: 2 read, 1 clean/,
    ],
    [
      "UTF-32",
      Buffer.from(Array.from(rows, (letter) => [letter.charCodeAt(0), 0, 0, 0]).flat()),
      "a.csv",
      /^quarantined: /,
    ],
    [
      "Latin-1 in NDJSON",
      Buffer.concat([Buffer.from(`${json}\n{"note":"`), Buffer.from([0xe9]), Buffer.from('"}\n')]),
      "a.ndjson",
      /^done: 2 read, 1 clean/,
    ],
    [
      "Latin-1 in JSON",
      Buffer.concat([Buffer.from(`[${json},{"note":"`), Buffer.from([0xe9]), Buffer.from('"}]')]),
      "a.json",
      /^done: 2 read, 1 clean/,
    ],
    [
      "Latin-1 in XML that says nothing",
      Buffer.from(`<r>${xml}<s><note>\u{E9}</note></s></r>`, "latin1"),
      "a.xml",
      /^quarantined: The XML document is not in the encoding utf-8/,
    ],
    ["half a character in JSON", `[${json},{"note":"\\ud800"}]`, "a.json", /^done: 2 read, 1 clean/],
    ["half a character in a key", `[${json},{"\\udc00":1}]`, "a.json", /^done: 2 read, 1 clean/],
  ])("%s end well", async (_, content, name, expected) => {
    expect(outcome(await attacked.send(content, name))).toMatch(expected);
  });
});

describe("headers", () => {
  it.each([
    ["a column twice", "day,amount,amount,note\n2024-01-31,1,2,x\n", /^quarantined: .*"amount" more than once/],
    [
      "a column twice, in two forms of Unicode",
      "day,amount,note,caf\u{E9},cafe\u{301}\n2024-01-31,1,x,1,2\n",
      /^done: 1 read, 1 clean/,
    ],
    [
      "a column that looks like one",
      "d\u{430}y,amount,note\n2024-01-31,1,x\n",
      /^quarantined: The header row lacks "day"/,
    ],
    ["names that are empty", "day,amount,note,,\n2024-01-31,1,x,y,z\n", /^quarantined: All 1 rows break the contract/],
    [
      "SQL",
      'day,amount,note,"""); DROP TABLE sold; --","\'; DELETE FROM input; --"\n2024-01-31,1,x,y,z\n',
      /^done: 1 read, 1 clean/,
    ],
    ["formulas", "day,amount,note,=1+1,@SUM(A1)\n2024-01-31,1,x,y,z\n", /^done: 1 read, 1 clean/],
    [
      "names that JavaScript knows",
      "day,amount,note,__proto__,constructor,toString\n2024-01-31,1,x,a,b,c\n",
      /^done: 1 read, 1 clean/,
    ],
    [
      "the words of the engine",
      'day,amount,note,row number,row violations,cell 0,input,rowid,"cais row"\n2024-01-31,1,x,a,b,c,d,e,f\n',
      /^done: 1 read, 1 clean/,
    ],
    ["a name of a megabyte", `day,amount,note,${"n".repeat(900_000)}\n2024-01-31,1,x,y\n`, /^done: 1 read, 1 clean/],
  ])("with %s end well", async (_, content, expected) => {
    for (const stack of ["sales", "kept"])
      expect(outcome(await attacked.send(content, "a.csv", stack))).toMatch(expected);
  });
});

describe("cells", () => {
  const cells = [
    "'); DROP TABLE sold; --",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(A1)",
    "-2+3",
    "\tx",
    "${7*7}",
    "<script>alert(1)</script>",
    "\u{202E}txt.exe",
    "1\u{2028}2",
  ];
  it("with SQL, formulas and markup stay what they are, and the treated CSV guards the formulas", async () => {
    const content = `${header}${cells.map((text, n) => `2024-02-${String(n + 10)},0,"${text}"\n`).join("")}`;
    expect(outcome(await attacked.send(content, "a.csv"))).toBe(`done: ${cells.length} read, ${cells.length} clean`);
    const answer = await fetch(`${attacked.url}/v1/tables/sales/sold?limit=1000`);
    const kept = TableRows.parse(await answer.json()).data.map(({ note }) => note);
    expect(kept).toEqual(expect.arrayContaining(cells));
    const csv = await readFile(join(attacked.folder, "data/sales/output/out/sold.csv"), "utf8");
    for (const text of cells) expect(csv).toContain(text);
    expect(
      csv
        .split(/\r?\n/)
        .flatMap((line) => line.split(",").slice(2))
        .filter((text) => /^"?[=+@]/.test(text)),
    ).toEqual([]);
  });
});

describe("a file's name", () => {
  it.each([
    ["upwards", "../../evil.csv", /^400 bad-request: /],
    ["absolute", "/etc/evil.csv", /^400 bad-request: /],
    ["of Windows", "C:\\evil.csv", /^400 bad-request: /],
    ["of 1,000 characters", `${"n".repeat(996)}.csv`, /^400 bad-request: /],
    ["with a zero byte", "evil\0.csv", /^400 bad-request: /],
    ["with a line break", "evil\r\nx.csv", /^400 bad-request: /],
    ["empty", "", /^400 bad-request: /],
    ["of another kind", "evil.exe", /^415 not-this-format: /],
    ["that looks alike", "evil\uFF0Ecsv", /^415 not-this-format: /],
    ["of points", "..csv", /^done: 1 read, 1 clean/],
    ["that is SQL", "'; DROP TABLE runs; --.csv", /^done: 1 read, 1 clean/],
    ["with an emoji and Arabic", "\u{1F4A5}\u{0645}.csv", /^done: 1 read, 1 clean/],
  ])("%s ends well", async (_, name, expected) => {
    expect(outcome(await attacked.send(header + good, name))).toMatch(expected);
  });
});
