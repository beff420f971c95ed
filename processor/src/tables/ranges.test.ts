import { expect, it } from "vitest";
import { areApart, rangesOf } from "./ranges.ts";

const ofKey = ([min, max]: [unknown, unknown]) =>
  rangesOf({ stats: JSON.stringify({ minValues: { k: min }, maxValues: { k: max } }), partition: {} }, ["k"]);

const ofDay = (day: string | null, min: number, max: number) => {
  const stats = JSON.stringify({ minValues: { n: min }, maxValues: { n: max } });
  return rangesOf({ stats, partition: { day } }, ["day", "n"]);
};

const apart = (type: string, a: [unknown, unknown], b: [unknown, unknown]) => {
  const columns = [{ name: "k", type }];
  const answer = areApart(ofKey(a), ofKey(b), columns);
  expect(areApart(ofKey(b), ofKey(a), columns)).toBe(answer);
  return answer;
};

it.each([
  ["BIGINT", [1, 9], [10, 20], true],
  ["BIGINT", [1, 10], [10, 20], false],
  ["BIGINT", [2, 3], [10, 20], true],
  ["DOUBLE", [-2.5, -1], [-0.5, 7], true],
  ["DOUBLE", [-1, -0], [0, 7], false],
  ["DECIMAL(9,2)", [9.5, 9.75], [10, 11], true],
  ["DATE", ["2024-01-01", "2024-01-31"], ["2024-02-01", "2024-02-02"], true],
  ["DATE", ["2024-01-01", "2024-02-01"], ["2024-02-01", "2024-02-02"], false],
  ["DATE", ["9999-01-01", "9999-12-31"], ["10000-01-01", "10000-01-02"], false],
  [
    "TIMESTAMP",
    ["2024-01-01T00:00:00.000Z", "2024-01-02T00:00:00.000Z"],
    ["2024-01-03T00:00:00.000Z", "2024-01-03T00:00:00.000Z"],
    true,
  ],
  ["VARCHAR", ["a", "m"], ["n", "z"], true],
  // By UTF-8, not by UTF-16.
  ["VARCHAR", ["a", "\uFFFD"], ["\u{1F600}", "\u{1F601}"], true],
  ["VARCHAR", ["a", "n"], ["n", "z"], false],
  ["BIGINT", ["1.0", "9.0"], [10, 20], false],
  ["BLOB", ["a", "b"], ["c", "d"], false],
  ["BIGINT", [1, undefined], [10, 20], false],
] as const)("tells %s from %j and %j apart: %s", (type, a, b, answer) => {
  expect(apart(type, [...a], [...b])).toBe(answer);
});

it("needs one column in which files are apart, and takes partitions for what they say", () => {
  const columns = [
    { name: "day", type: "DATE" },
    { name: "n", type: "INTEGER" },
  ];
  expect(areApart(ofDay("2024-01-01", 1, 5), ofDay("2024-01-02", 1, 5), columns)).toBe(true);
  expect(areApart(ofDay("2024-01-01", 1, 5), ofDay("2024-01-01", 6, 7), columns)).toBe(true);
  expect(areApart(ofDay("2024-01-01", 1, 5), ofDay("2024-01-01", 5, 7), columns)).toBe(false);
  expect(areApart(ofDay(null, 1, 5), ofDay("2024-01-02", 1, 5), columns)).toBe(false);
  // Times in partitions are written otherwise than in statistics.
  const times = [{ name: "t", type: "TIMESTAMP" }];
  const partition = rangesOf({ stats: null, partition: { t: "2024-01-01T00:00:00.000000Z" } }, ["t"]);
  const stats = rangesOf(
    {
      stats: '{"minValues":{"t":"2024-01-01T00:00:00.000Z"},"maxValues":{"t":"2024-01-01T00:00:00.000Z"}}',
      partition: {},
    },
    ["t"],
  );
  expect(areApart(partition, stats, times)).toBe(false);
});
