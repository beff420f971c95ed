import { describe, expect, it } from "vitest";
import { formatsOfName, namesTaken, takesName } from "./names.ts";

describe("a name", () => {
  it.each(["a.csv", "A.CSV", "a.txt", "a.csv.gz", "a.CSV.GZ", "a.zip", "a.b.csv"])("%s is taken for CSV", (name) =>
    expect(takesName(["csv"], name)).toBe(true),
  );
  it.each(["a.json", "a.xlsx", "a.gz", "a.csv.zip.gz", "csv", "a.csv.exe", ""])("%s is not taken for CSV", (name) =>
    expect(takesName(["csv"], name)).toBe(false),
  );
  it("may mean several formats", () => {
    expect(formatsOfName("a.json.gz")).toEqual(["json", "ndjson"]);
    expect(formatsOfName("a.TXT")).toEqual(["csv", "tsv"]);
    expect(formatsOfName("a.pdf")).toEqual([]);
  });
});

it("tells the names that are taken", () => {
  expect(namesTaken(["csv", "tsv"])).toBe(".csv, .txt, .tsv, .tab, each also as .gz, or .zip");
  expect(namesTaken(["excel"])).toBe(".xlsx, also as .gz, or .zip");
});
