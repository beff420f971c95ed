import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSite, type Site } from "./site.ts";
import { focused, openBrowser, sendAndWait, visit, type Visit } from "./visit.ts";
import { weather } from "./weather.ts";

let browser: Browser;
let empty: Site;
let site: Site;
const runs: Record<string, string> = {};

beforeAll(async () => {
  [browser, empty, site] = await Promise.all([openBrowser(), startSite(), startSite()]);
  await using visitor = await visit(browser, site);
  const silent = Array.from({ length: 60 }, (_, index) => 24 + index);
  for (const [name, content, state] of [
    ["good.csv", weather({ from: "2024-01-01", days: 60, silent }), "Done"],
    ["broken.csv", "a,b\n1,2\n", "Quarantined"],
  ] as const) {
    await visitor.open("#/");
    await visitor.page.locator("input[type=file]").waitFor({ state: "attached" });
    await sendAndWait(visitor.page, name, content, state);
    runs[name] = new URL(visitor.page.url()).hash;
  }
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([empty, site].map((each) => each?.[Symbol.asyncDispose]()));
});

const phone = { width: 390, height: 844 };
const desk = { width: 1280, height: 800 };

describe.each([
  { locale: "en-GB", colorScheme: "light", viewport: desk },
  { locale: "en-GB", colorScheme: "dark", viewport: phone },
  { locale: "pt-BR", colorScheme: "light", viewport: phone },
  { locale: "pt-BR", colorScheme: "dark", viewport: desk },
] as const)("axe finds nothing in $locale, $colorScheme, $viewport.width wide", (options) => {
  const views: [string, "site" | "empty", () => string][] = [
    ["the start", "site", () => "#/"],
    ["an unknown stack", "site", () => "#/stacks/nothing"],
    ["the runs", "site", () => "#/runs"],
    ["no run that matches", "site", () => "#/runs?state=failed"],
    ["a run", "site", () => runs["good.csv"] ?? ""],
    ["a quarantined run", "site", () => runs["broken.csv"] ?? ""],
    ["a run that is not there", "site", () => "#/runs/nothing"],
    ["the tables", "site", () => "#/tables"],
    ["a gold table with its chart", "site", () => "#/tables/inmet/rain_by_day"],
    ["a silver table", "site", () => "#/tables/inmet/inmet?page=2"],
    ["nothing", "site", () => "#/nowhere"],
    ["the start before the first file", "empty", () => "#/"],
    ["no runs", "empty", () => "#/runs"],
    ["a table without rows", "empty", () => "#/tables/inmet/inmet"],
  ];
  const visits: Partial<Record<"site" | "empty", Visit>> = {};
  const visitOf = async (of: "site" | "empty") =>
    (visits[of] ??= await visit(browser, of === "site" ? site : empty, { ...options, refusals: [404] }));
  afterAll(async () => {
    for (const visitor of Object.values(visits)) await visitor[Symbol.asyncDispose]();
  });

  it.each(views)("%s", async (_, of, hash) => {
    const visitor = await visitOf(of);
    const { page } = visitor;
    await visitor.open(hash());
    await page.waitForLoadState("networkidle");
    await page.getByRole("heading", { level: 1 }).waitFor();
    await expect.poll(() => page.locator(".mantine-Skeleton-root").count()).toBe(0);
    await visitor.expectAccessible();
    const widest = await page.evaluate<number>("document.documentElement.scrollWidth");
    expect(widest, "no view is wider than the window").toBeLessThanOrEqual(options.viewport.width);
  });
});

it("the skip link leads past the navigation", async () => {
  await using visitor = await visit(browser, site);
  const { page } = visitor;
  await visitor.open("#/runs");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.keyboard.press("Tab");
  expect(await focused(page)).toBe("Skip to the content");
  await page.keyboard.press("Enter");
  expect(await page.evaluate("document.activeElement.tagName")).toBe("MAIN");
});

it("follows the system when it turns dark", async () => {
  await using visitor = await visit(browser, site, { colorScheme: "light" });
  const { page } = visitor;
  await visitor.open("");
  await page.getByRole("heading", { level: 1 }).waitFor();
  const ground = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
  expect(await ground()).toBe("rgb(244, 246, 248)");
  await page.emulateMedia({ colorScheme: "dark" });
  await expect.poll(ground).toBe("rgb(18, 23, 29)");
});
