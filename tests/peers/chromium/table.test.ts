import { readFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startSite, type Site } from "./site.ts";
import { openBrowser, sendAndWait, visit } from "./visit.ts";
import { weather } from "./weather.ts";

let browser: Browser;
let site: Site;

beforeAll(async () => {
  [browser, site] = await Promise.all([openBrowser(), startSite()]);
  await using visitor = await visit(browser, site);
  await visitor.open("");
  // 2023-07-01 to 2024-07-30; 24 × n mm on day 10 × n.
  await sendAndWait(visitor.page, "a year.csv", weather({ from: "2023-07-01", days: 396 }));
});
afterAll(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
});

it("tables are found from the run that made them", async () => {
  await using visitor = await visit(browser, site);
  const { page } = visitor;
  await visitor.open("#/runs");
  await page.getByRole("link", { name: "a year.csv" }).click();
  await page.getByRole("link", { name: "Open: rain_by_day" }).click();
  await page.getByRole("heading", { level: 1, name: "rain_by_day" }).waitFor();
  await expect.poll(() => page.getByText("396 rows", { exact: false }).count()).toBe(1);
});

it("a gold table has a chart that can be read without seeing it", async () => {
  await using visitor = await visit(browser, site);
  const { page } = visitor;
  await visitor.open("#/tables/inmet/rain_by_day");
  const chart = page.getByRole("img", { name: /^Bar chart of/ });
  await chart.waitFor();
  expect(await chart.getAttribute("aria-label")).toMatch(
    /: 396 bars from Jul 1, 2023 to Jul 30, 2024\. The highest is 936, at Jul 25, 2024\./,
  );
  // One path of a bar for each day on which it rained, at least.
  await expect.poll(() => chart.locator("svg path").count()).toBeGreaterThan(38);
  const legend = page.getByRole("list", { name: /^Colours:/ });
  expect(await legend.getByRole("listitem").count()).toBeGreaterThan(1);

  await page.getByLabel("Period").selectOption("2024");
  await expect.poll(() => chart.getAttribute("aria-label")).toMatch(/: 212 bars from Jan 1, 2024 to Jul 30, 2024/);
});

it("a bar tells its day and height to the mouse", async () => {
  await using visitor = await visit(browser, site);
  const { page } = visitor;
  await visitor.open("#/tables/inmet/rain_by_day");
  const chart = page.getByRole("img", { name: /^Bar chart of/ });
  await expect.poll(() => chart.locator("svg path").count()).toBeGreaterThan(38);
  await chart.hover({ position: { x: 600, y: 100 } });
  await expect.poll(() => page.getByText(/^\w+ \d+, 202[34]rain_mm: [\d.]+ \(\w+\)$/).count()).toBe(1);
});

it("the drawing library is loaded for a chart and not before", async () => {
  await using visitor = await visit(browser, site);
  const { page } = visitor;
  const scripts: string[] = [];
  page.on("request", (request) => void scripts.push(request.url()));
  const drawing = () => scripts.some((url) => /\/Chart-[\w-]+\.js$/.test(url));
  await visitor.open("#/tables/inmet/inmet");
  await page.getByRole("table", { name: "Rows of inmet" }).waitFor();
  expect(drawing()).toBe(false);
  await visitor.open("#/tables/inmet/rain_by_day");
  await page.getByRole("img", { name: /^Bar chart of/ }).waitFor();
  expect(drawing()).toBe(true);
});

it("rows come in pages that can be linked and left by Back", async () => {
  await using visitor = await visit(browser, site);
  const { page } = visitor;
  await visitor.open("#/tables/inmet/inmet");
  await page.getByText("1–50 of 9,504").waitFor();
  const rows = page.getByRole("table", { name: "Rows of inmet" }).getByRole("row");
  expect(await rows.count()).toBe(51);
  expect((await rows.nth(1).getByRole("cell").allTextContents())[0]).toBe("Jul 1, 2023");
  await page.getByRole("button", { name: "Page 2" }).click();
  await page.getByText("51–100 of 9,504").waitFor();
  expect(new URL(page.url()).hash).toBe("#/tables/inmet/inmet?page=2");
  await page.goBack();
  await page.getByText("1–50 of 9,504").waitFor();
});

it("a table tells its columns and its versions when they are unfolded", async () => {
  await using visitor = await visit(browser, site);
  const { page } = visitor;
  await visitor.open("#/tables/inmet/rain_by_day");
  await page.getByText("5 columns").click();
  const columns = page.getByRole("table", { name: "5 columns" }).getByRole("row");
  await columns.nth(1).waitFor();
  expect(await columns.nth(2).getByRole("cell").allTextContents()).toEqual(["rain_mm", "DOUBLE"]);
  await page.getByText("Versions", { exact: true }).click();
  const versions = page.getByRole("table", { name: "Versions" }).getByRole("row");
  await versions.nth(1).waitFor();
  const [version, , operation, added, removed, rows] = await versions.nth(1).getByRole("cell").allTextContents();
  expect({ version, added, removed, rows }).toEqual({ version: "0", added: "+396", removed: "–", rows: "396" });
  expect(operation).toMatch(/^[A-Z ]+$/);
  await visitor.expectAccessible();
});

it("the tables come with the sinks that deliver them, and what each delivered last", async () => {
  await using visitor = await visit(browser, site);
  const { page } = visitor;
  await visitor.open("#/tables");
  const sinks = page.getByRole("region", { name: "Where they are delivered" }).first().getByRole("listitem");
  const csv = sinks.filter({ hasText: "CSV file" }).first();
  await csv.getByText("Delivered", { exact: true }).waitFor();
  expect(await csv.textContent()).toMatch(/^inmet CSV file.* · 9,504 rows · .*inmet_clean\.csvDelivered$/);
  await csv.getByRole("link").click();
  await expect.poll(() => page.getByRole("heading", { level: 1, name: "a year.csv" }).count()).toBe(1);
});

it("a table can be downloaded whole", async () => {
  await using visitor = await visit(browser, site);
  const { page } = visitor;
  await visitor.open("#/tables/inmet/rain_by_day");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download CSV: inmet-rain_by_day.csv" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("inmet-rain_by_day.csv");
  expect((await readFile(await download.path(), "utf8")).trim().split(/\r?\n/)).toHaveLength(397);
});
