import { describe, expect, it } from "vitest";
import { href, parseRoute, type Route } from "./route.ts";

describe("a view's address", () => {
  const routes: [string, Route][] = [
    ["#/", { view: "send" }],
    ["#/stacks/inmet", { view: "send", stack: "inmet" }],
    ["#/runs", { view: "runs", stack: undefined, state: undefined }],
    ["#/runs?stack=inmet&state=failed", { view: "runs", stack: "inmet", state: "failed" }],
    ["#/runs/a%2Fb", { view: "run", id: "a/b" }],
    ["#/tables", { view: "tables" }],
    ["#/tables/inmet/rain_by_day", { view: "table", stack: "inmet", table: "rain_by_day", page: 1 }],
    ["#/tables/inmet/rain_by_day?page=3", { view: "table", stack: "inmet", table: "rain_by_day", page: 3 }],
  ];
  it.each(routes)("%s is read and written", (hash, route) => {
    expect(parseRoute(hash)).toEqual(route);
    expect(href(route)).toBe(hash);
  });

  it.each(["#/nothing", "#/runs/1/2", "#/tables/inmet", "#/stacks", "#/runs/%E0%A4%A", "#/tables/a/b/c"])(
    "%s is missing",
    (hash) => expect(parseRoute(hash)).toEqual({ view: "missing" }),
  );

  it("ignores a state and a page that do not exist", () => {
    expect(parseRoute("#/runs?state=happy")).toEqual({ view: "runs", stack: undefined, state: undefined });
    expect(parseRoute("#/tables/a/b?page=-1")).toMatchObject({ page: 1 });
    expect(parseRoute("#/tables/a/b?page=x")).toMatchObject({ page: 1 });
  });

  it("is the start without a hash", () => expect(parseRoute("")).toEqual({ view: "send" }));
});
