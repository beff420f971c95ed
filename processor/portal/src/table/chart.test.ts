import { describe, expect, it } from "vitest";
import { barsOf, chooseChart, numeric, yearsOf } from "./chart.ts";

const day = { name: "day", type: "DATE" };
const rain = { name: "rain", type: "DOUBLE" };
const hours = { name: "hours", type: "BIGINT" };
const intensity = { name: "intensity", type: "VARCHAR" };
const rows = [
  { day: "2024-01-02", rain: 30, hours: "24", intensity: "heavy" },
  { day: "2023-12-31", rain: 0, hours: "23", intensity: "none" },
  { day: "2024-01-01", rain: 2.5, hours: "24", intensity: "light" },
  { day: "2024-01-03", rain: 0, hours: "1", intensity: "none" },
];

describe("chooseChart", () => {
  it("takes the first date along the bottom, numbers as bars and few names as colours", () => {
    const columns = [intensity, day, { name: "seen", type: "TIMESTAMP WITH TIME ZONE" }, rain, hours];
    expect(chooseChart(columns, rows)).toEqual({
      x: "day",
      time: true,
      measures: ["rain", "hours"],
      colour: "intensity",
    });
  });

  it("takes names along the bottom where there is no date", () => {
    const columns = [
      { name: "city", type: "VARCHAR" },
      { name: "total", type: "DECIMAL(18,2)" },
    ];
    const data = [
      { city: "Recife", total: "12.50" },
      { city: "Natal", total: "7.00" },
    ];
    expect(chooseChart(columns, data)).toEqual({ x: "city", time: false, measures: ["total"], colour: null });
    expect(
      chooseChart(
        columns,
        Array.from({ length: 41 }, (_, i) => ({ city: `c${i}`, total: 1 })),
      ),
    ).toBeNull();
  });

  it("does not colour by one name, nor by more names than can be told apart", () => {
    const same = rows.map((row) => ({ ...row, intensity: "light" }));
    expect(chooseChart([day, rain, intensity], same)?.colour).toBeNull();
    const many = Array.from({ length: 7 }, (_, i) => ({ day: `2024-01-0${i + 1}`, rain: i, intensity: `i${i}` }));
    expect(chooseChart([day, rain, intensity], many)?.colour).toBeNull();
    expect(chooseChart([day, rain, intensity], many.slice(1))?.colour).toBe("intensity");
  });

  it("shows several rows of a day only where a colour parts them", () => {
    const two = [
      { day: "2024-01-01", rain: 1, intensity: "a" },
      { day: "2024-01-01", rain: 2, intensity: "b" },
    ];
    expect(chooseChart([day, rain, intensity], two)?.colour).toBe("intensity");
    expect(chooseChart([day, rain], two)).toBeNull();
  });

  it("shows nothing without numbers, without rows or without anything to put along the bottom", () => {
    expect(chooseChart([day, intensity], rows)).toBeNull();
    expect(chooseChart([day, rain], [])).toBeNull();
    expect(chooseChart([rain, hours], rows)).toBeNull();
  });
});

describe("barsOf", () => {
  const choice = { x: "day", time: true, measures: ["rain", "hours"], colour: "intensity" };

  it("parts the bars by colour, from the lowest mean to the highest, each by date", () => {
    expect(barsOf(choice, "rain", rows)).toEqual([
      {
        name: "none",
        bars: [
          { x: "2023-12-31", value: 0 },
          { x: "2024-01-03", value: 0 },
        ],
      },
      { name: "light", bars: [{ x: "2024-01-01", value: 2.5 }] },
      { name: "heavy", bars: [{ x: "2024-01-02", value: 30 }] },
    ]);
  });

  it("leaves out rows without a number or a date, and keeps those without a colour", () => {
    const data = [
      { day: "2024-01-01", rain: null, intensity: "a" },
      { day: null, rain: 1, intensity: "a" },
      { day: "2024-01-02", rain: "3", intensity: null },
    ];
    expect(barsOf(choice, "rain", data)).toEqual([{ name: null, bars: [{ x: "2024-01-02", value: 3 }] }]);
  });

  it("keeps names in the table's order", () => {
    const data = [
      { city: "b", n: 1 },
      { city: "a", n: 2 },
    ];
    const [series] = barsOf({ x: "city", time: false, measures: ["n"], colour: null }, "n", data);
    expect(series?.bars.map(({ x }) => x)).toEqual(["b", "a"]);
  });
});

it("reads cells as numbers", () => {
  expect([numeric("12.5"), numeric(0), numeric("-1e3")]).toEqual([12.5, 0, -1000]);
  expect([null, undefined, "", "x", true, "Infinity"].map(numeric)).toEqual(Array(6).fill(null));
});

it("tells the years of the dates, newest first", () => {
  expect(yearsOf({ x: "day", time: true, measures: [], colour: null }, [...rows, { day: null }])).toEqual([
    "2024",
    "2023",
  ]);
  expect(yearsOf({ x: "intensity", time: false, measures: [], colour: null }, rows)).toEqual([]);
});
