import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readStack, readStacks, StackError } from "./read-stack.ts";

const root = join(".cais", "tests", `read-stack-${process.pid}`);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const good = `name: rain
owner: weather
environments: [dev, prod]
source: { upload: { maxBytes: 5MB } }
contract:
  columns:
    - { name: day, type: date, required: true }
    - { name: rain, from: "Rain (mm)", type: double, min: 0 }
tables:
  - { name: rain, layer: silver, sql: clean.sql, disposition: append }
sinks:
  - csv: { table: rain, to: out/rain.csv }
`;

function folder(
  name: string,
  yaml: string | undefined,
  files: Record<string, string> = { "clean.sql": "SELECT * FROM input" },
): string {
  const path = join(root, name);
  mkdirSync(path, { recursive: true });
  if (yaml !== undefined) writeFileSync(join(path, "stack.yaml"), yaml);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

function problems(path: string): string[] {
  try {
    readStack(path);
  } catch (error) {
    if (error instanceof StackError)
      return error.message.split("\n").map((line) => line.replace(`${basename(dirname(path))}/${basename(path)}/`, ""));
    throw error;
  }
  return [];
}

/** `good` with one text replaced, in a folder of its own. */
const changed = (name: string, from: string, to: string) => {
  expect(good).toContain(from);
  return problems(folder(join(name, "rain"), good.replace(from, to)));
};

it("reads a stack with its SQL and fills in the defaults", () => {
  const { stack, sql } = readStack(folder("good/rain", good));
  expect(sql).toEqual({ "clean.sql": "SELECT * FROM input" });
  expect(stack.source.upload).toEqual({
    formats: ["csv"],
    maxBytes: 5_000_000,
    read: {
      csv: { delimiter: "auto", encoding: "auto", header: true, preamble: "auto" },
      json: { rows: "" },
      xml: {},
      excel: { header: 1 },
    },
    after: "keep",
  });
  expect(stack.contract.onViolation).toBe("quarantine");
  expect(stack.contract.columns[1]).toEqual({
    name: "rain",
    from: "Rain (mm)",
    type: "double",
    required: false,
    optional: false,
    unique: false,
    min: 0,
  });
});

it("takes a budget in a currency that could be one", () => {
  expect(changed("budget", "owner: weather\n", "owner: weather\nbudget: { monthly: 49.5, currency: BRL }\n")).toEqual(
    [],
  );
  expect(changed("budget-wrong", "owner: weather\n", "owner: weather\nbudget: { monthly: 0, currency: R$ }\n")).toEqual(
    [
      "stack.yaml:3:20: budget.monthly: Too small: expected number to be >0, found 0",
      'stack.yaml:3:33: budget.currency: must be the three letters of a currency (ISO 4217), such as USD, found "R$"',
    ],
  );
});

it("tells all mistakes of a stack at once, in the order of the file", () => {
  const bad = `name: rain
ownr: weather
environments: [dev, prd]
source: { upload: { maxBytes: 5XB } }
contract:
  columns:
    - { name: day, type: dat, required: "yes" }
    - { name: rain, type: string, min: 0 }
    - { name: Rain, type: double }
tables:
  - { name: input, layer: silver, sql: claen.sql, disposition: append }
sinks:
  - csv: { table: rian, to: ../rain.csv }
  - webhook: { url: "https://example.org", secret: { secret: key } }
`;
  expect(problems(folder("all/rain", bad))).toEqual([
    "stack.yaml:1:1: owner: missing; expected string",
    'stack.yaml:2:1: ownr: unknown key; expected name, owner, costCentre, budget, description, environments, isolated, source, contract, tables or sinks; did you mean "owner"?',
    'stack.yaml:3:21: environments[1]: expected dev, staging or prod, found "prd"; did you mean "prod"?',
    'stack.yaml:4:31: source.upload.maxBytes: must be a number and one of B, kB, MB, GB, KiB, MiB, GiB, found "5XB"',
    'stack.yaml:7:26: contract.columns[0].type: expected string, integer, double, decimal, boolean, date or timestamp, found "dat"; did you mean "date"?',
    'stack.yaml:7:41: contract.columns[0].required: expected boolean, found "yes"',
    "stack.yaml:8:40: contract.columns[1].min: goes with integer, double, decimal, date and timestamp, not string",
    'stack.yaml:9:15: contract.columns[2].name: "Rain" is there already, as number 2',
    "stack.yaml:11:13: tables[0].name: `input` is what SQL calls the rows of a run; choose another name",
    'stack.yaml:11:40: tables[0].sql: there is no file claen.sql in the stack\'s folder; create it; did you mean "clean.sql"?',
    'stack.yaml:13:19: sinks[0].csv.table: no table "rian"; there is input',
    'stack.yaml:13:29: sinks[0].csv.to: must be relative, with no empty, . or .. part, found "../rain.csv"',
    'stack.yaml:14:21: sinks[1].webhook.url: expected a group of keys (secret), found "https://example.org"',
  ]);
});

it.each([
  [
    "a folder of another name",
    "name: rain\n",
    "name: snow\n",
    ['stack.yaml:1:7: name: must be the folder\'s name, "rain", found "snow"'],
  ],
  [
    "an owner that cannot be a tag",
    "owner: weather",
    "owner: weather, rain",
    [
      'stack.yaml:2:8: owner: 1 to 48 characters, with no comma, no line break and no space at either end, since it becomes a tag, found "weather, rain"',
    ],
  ],
  [
    "a minimum above the maximum",
    "min: 0",
    "min: 2, max: 1",
    ["stack.yaml:8:59: contract.columns[1].min: 2 is above max, 1"],
  ],
  [
    "a minimum of another type",
    "type: date",
    "type: date, min: 3, max: 2026-02-30",
    [
      "stack.yaml:7:37: contract.columns[0].min: expected a date such as 2020-01-31, found 3",
      'stack.yaml:7:45: contract.columns[0].max: expected a date such as 2020-01-31, found "2026-02-30"',
    ],
  ],
  [
    "times in the wrong order, whatever their zones",
    "type: date",
    "type: timestamp, min: '2020-01-01 01:00:00', max: '2020-01-01T00:30:00-00:30', timezone: America/Sao_Paolo",
    [
      'stack.yaml:7:109: contract.columns[0].timezone: "America/Sao_Paolo" is no time zone of the IANA\'s, such as America/Sao_Paulo',
    ],
  ],
  [
    "a day after the last",
    "type: date",
    "type: date, min: 2020-01-02, max: 2020-01-01",
    ["stack.yaml:7:37: contract.columns[0].min: 2020-01-02 is above max, 2020-01-01"],
  ],
  [
    "what goes with another type",
    "type: date",
    "type: string, scale: 2, format: '%d/%m/%Y', timezone: UTC, decimal: ',', thousands: ' '",
    [
      "stack.yaml:7:41: contract.columns[0].scale: goes with decimal, not string",
      "stack.yaml:7:52: contract.columns[0].format: goes with date and timestamp, not string",
      "stack.yaml:7:74: contract.columns[0].timezone: goes with timestamp, not string",
      "stack.yaml:7:88: contract.columns[0].decimal: goes with double and decimal, not string",
      "stack.yaml:7:104: contract.columns[0].thousands: goes with integer, double and decimal, not string",
    ],
  ],
  [
    "formats that tell no date",
    "type: date",
    "type: date, format: ['%d/%m', '%Y-%q', '%Y%', '%Y-%j']",
    [
      'stack.yaml:7:40: contract.columns[0].format: "%d/%m" names no year (%Y or %y)',
      'stack.yaml:7:40: contract.columns[0].format: "%Y-%q" holds %q, and DuckDB\'s strptime has no such code',
      'stack.yaml:7:40: contract.columns[0].format: "%Y%" ends in a % that begins nothing; write %% for the sign itself',
    ],
  ],
  [
    "separators alike",
    "type: double",
    "type: double, thousands: '.'",
    ['stack.yaml:8:65: contract.columns[1].thousands: decimal and thousands are both "."; they must differ'],
  ],
  [
    "the contract's separators alike",
    "contract:",
    "contract:\n  decimal: ','\n  thousands: ','",
    ['stack.yaml:7:14: contract.thousands: is "," as decimal is; they must differ'],
  ],
  [
    "a column that may be missing and may not",
    "required: true",
    "required: true, optional: true",
    [
      "stack.yaml:7:58: contract.columns[0].optional: a column that a file may lack cannot be required in every row; leave out one of the two",
    ],
  ],
  [
    "a line before the header twice",
    "type: date, required: true",
    "from: { preamble: Day }, type: date }\n    - { name: d2, from: { preamble: day }, type: date, unique: true",
    [
      'stack.yaml:8:25: contract.columns[1].from: "day" is there already, as number 1',
      "stack.yaml:8:64: contract.columns[1].unique: the value of a line before the header is the same in every row",
    ],
  ],
  [
    "sets of columns that are not there",
    "contract:",
    "contract:\n  unique: [[day, rian], [day, day]]",
    [
      'stack.yaml:6:18: contract.unique[0][1]: no column "rian"; there is day, rain',
      'stack.yaml:6:31: contract.unique[1][1]: "day" is in this set already',
    ],
  ],
  [
    "a column called as those that are kept",
    "contract:\n  columns:\n    - { name: day",
    "contract:\n  unknownColumns: keep\n  columns:\n    - { name: Unknown_columns",
    [
      "stack.yaml:8:15: contract.columns[0].name: `unknown_columns` is what SQL calls the columns kept by unknownColumns; choose another name",
    ],
  ],
  [
    "a column that may be missing where there is no header",
    "maxBytes: 5MB } }\ncontract:\n  columns:\n    - { name: day, type: date, required: true",
    "read: { csv: { header: false } } } }\ncontract:\n  columns:\n    - { name: day, type: date, optional: true",
    [
      "stack.yaml:7:42: contract.columns[0].optional: goes with a header: without one, no column can be told to be missing",
    ],
  ],
  [
    "a pattern that cannot be compiled",
    "type: date",
    'type: string, pattern: "(["',
    [
      "stack.yaml:7:43: contract.columns[0].pattern: the pattern of day cannot be compiled: Unterminated character class",
    ],
  ],
  [
    "a reason that could never be told",
    "type: date",
    "type: date, reason: is no day",
    ["stack.yaml:7:40: contract.columns[0].reason: is told when pattern or values are not met, and there is neither"],
  ],
  [
    "a size below a byte",
    "5MB",
    "0.1B",
    ['stack.yaml:4:31: source.upload.maxBytes: must be at least 1 byte, found "0.1B"'],
  ],
  [
    "two headers alike",
    'from: "Rain (mm)"',
    "from: day",
    ["stack.yaml:8:27: contract.columns[1].from: column 1 has this header already, by its name"],
  ],
  [
    "a key twice",
    "owner: weather",
    "owner: weather\nowner: me",
    ["stack.yaml:3:1: not valid YAML: Map keys must be unique"],
  ],
  [
    "text that is no YAML",
    "owner: weather",
    "owner: [weather",
    [
      "stack.yaml:3:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
  ],
])("places %s", (name, from, to, expected) => {
  const found = changed(name, from, to);
  expect(found.slice(0, expected.length)).toEqual(expected);
});

it("refuses a file that is missing, a link, too large or an alias bomb", () => {
  expect(problems(folder("none/rain", undefined))).toEqual([
    "stack.yaml:1:1: there is no file stack.yaml in the stack's folder; create it",
  ]);
  const linked = folder("link/rain", good, {});
  symlinkSync("/etc/hostname", join(linked, "clean.sql"));
  expect(problems(linked)).toEqual([
    "stack.yaml:10:39: tables[0].sql: clean.sql must be a plain file, not a link or folder",
  ]);
  expect(problems(folder("large/rain", `#${"x".repeat(1 << 20)}`))).toEqual([
    "stack.yaml:1:1: stack.yaml has 1048577 bytes; the limit is 1048576",
  ]);
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefgh"].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${"abcdefg"[i]}`).join()}]`).join("\n")}\n`;
  expect(problems(folder("bomb/rain", bomb))).toEqual([
    "stack.yaml:1:1: not valid YAML: Excessive alias count indicates a resource exhaustion attack",
  ]);
});

it("reads every folder of stacks and joins their problems", () => {
  const stacks = join(root, "many");
  folder("many/rain", good);
  folder("many/snow", good);
  writeFileSync(join(stacks, "stack.schema.json"), "{}");
  expect(() => readStacks(stacks)).toThrow(
    'snow/stack.yaml:1:7: name: must be the folder\'s name, "snow", found "rain"',
  );
  rmSync(join(stacks, "snow"), { recursive: true });
  expect(readStacks(stacks).map(({ stack }) => stack.name)).toEqual(["rain"]);
});
