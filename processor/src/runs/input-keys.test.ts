import { expect, it } from "vitest";
import { archiveKey } from "./after.ts";
import { correctionKey, uploadKey } from "./input-keys.ts";

it.each([
  ["a.csv", ".csv"],
  ["A.B.CSV.GZ", ".csv.gz"],
  ["a.zip", ".zip"],
  ["no ending", ""],
  ["a.çsv", ""],
  ["a.gz", ".gz"],
])("the key of %s ends in %j and tells nothing else of it", (name, ending) => {
  const key = uploadKey(name, new Date("2024-01-31T23:00:00Z"));
  expect(key).toMatch(/^2024-01-31\/[\w-]+(\.[a-z.]+)?$/);
  expect(key.slice(key.indexOf(".") === -1 ? key.length : key.indexOf("."))).toBe(ending);
});

it("keeps an archived file under its key, unless that gets too long", () => {
  expect(archiveKey("run", "São Paulo/a.csv")).toBe("archive/run/São Paulo/a.csv");
  expect(archiveKey("run", "a".repeat(500))).toBe(`archive/run/${"a".repeat(500)}`);
  expect(archiveKey("run", "a".repeat(501))).toBe("archive/run/file");
});

it("a correction has a folder of its own, and no two have one key", () => {
  const now = new Date();
  expect(correctionKey(now)).toMatch(/^corrections\/[\w-]+\.csv$/);
  expect(correctionKey(now)).not.toBe(correctionKey(now));
});
