import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSite, type Site } from "./site.ts";
import { openBrowser, sendAndWait, visit } from "./visit.ts";
import { weather } from "./weather.ts";

let browser: Browser;
let site: Site;
let run: string;

// 60 rows without a measurement and 2 with a word for a number.
const silent = Array.from({ length: 60 }, (_, index) => 24 + index);
const file = weather({ from: "2024-01-01", days: 30, silent, wordy: [0, 1] });

beforeAll(async () => {
  [browser, site] = await Promise.all([openBrowser(), startSite()]);
  await using visitor = await visit(browser, site);
  await visitor.open("");
  await sendAndWait(visitor.page, "thirty days.csv", file);
  run = new URL(visitor.page.url()).hash;
  await visitor.open("#/");
  await visitor.page.locator("input[type=file]").waitFor({ state: "attached" });
  await sendAndWait(visitor.page, "broken.csv", "a,b\n1,2\n", "Quarantined");
});
afterAll(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
});

describe("rejected rows", () => {
  it("have row, column, reason and what was found", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open(run);
    const rows = page.getByRole("table", { name: "List of rejected rows" }).getByRole("row");
    await rows.nth(25).waitFor();
    const cells = await rows.nth(1).getByRole("cell").allTextContents();
    expect(cells[0]).toBe("2");
    expect(cells[1]).toBe("PRECIPITACAO_TOTAL");
    expect(cells[2]).not.toBe("");
    expect(cells[3]).toBe("wet");
    const silentCells = await rows.nth(3).getByRole("cell").allTextContents();
    expect([silentCells[0], silentCells[1], silentCells[3]]).toEqual([
      "26",
      "whole row",
      expect.stringMatching(/^2024-01-02,0000 UTC,,+$/),
    ]);
  });

  it("come in pages and can be narrowed to one reason", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open(run);
    await page.getByText("1–25 of 62").waitFor();
    await page.getByRole("button", { name: "Page 3" }).click();
    await page.getByText("51–62 of 62").waitFor();
    const reason = page.getByLabel("Reason", { exact: true });
    const options = await reason.getByRole("option").allTextContents();
    expect(options[0]).toBe("All reasons (62)");
    expect(options[1]).toMatch(/\(60\)$/);
    await reason.selectOption({ index: 2 });
    await page.getByText("1–2 of 2").waitFor();
  });

  it("can be downloaded", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open(run);
    const rejected = page.getByRole("region", { name: "Rejected rows" });
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      rejected.getByRole("link", { name: /Download CSV/ }).click(),
    ]);
    const lines = (await readFile(await download.path(), "utf8")).trim().split(/\r?\n/);
    expect(lines).toHaveLength(63);
    expect(lines[1]).toContain("PRECIPITACAO_TOTAL");
  });
});

describe("runs", () => {
  it("are listed with state and counts, and filtered by an address that can be linked", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open("#/runs");
    const rows = page.getByRole("table", { name: "Runs" }).getByRole("row");
    await rows.nth(2).waitFor();
    expect(await rows.nth(2).getByRole("cell").allTextContents()).toEqual(
      expect.arrayContaining(["thirty days.csv62 rows open", "inmet", "Done", "720", "658", "62"]),
    );
    await page.getByLabel("State").selectOption("quarantined");
    await expect.poll(() => rows.count()).toBe(2);
    expect(new URL(page.url()).hash).toBe("#/runs?state=quarantined");
    await page.reload();
    await rows.nth(1).waitFor();
    expect(await rows.count()).toBe(2);
    await page.getByLabel("Pipeline").selectOption("small");
    await page.getByText("No run matches").waitFor();
    await page.getByRole("link", { name: "Show all runs" }).click();
    await expect.poll(() => rows.count()).toBe(3);
  });

  it("are left and found again by Back", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open("#/runs");
    await page.getByRole("link", { name: "thirty days.csv" }).click();
    await page.getByRole("heading", { level: 1, name: "thirty days.csv" }).waitFor();
    expect(new URL(page.url()).hash).toBe(run);
    await page.goBack();
    await page.getByRole("heading", { level: 1, name: "Runs" }).waitFor();
  });
});

const lineage = (page: Page) => page.getByRole("region", { name: "Where its rows went" });

describe("where the rows went", () => {
  it("is a picture, and a list for who does not see it", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open(run);
    const nodes = lineage(page).getByRole("listitem");
    await expect.poll(() => nodes.count()).toBe(4);
    expect(await nodes.allTextContents()).toEqual([
      "thirty days.csvFile received720 rows",
      "inmetTable, clean rows, from thirty days.csv658 rows",
      "rain_by_dayTable, summary, from inmet28 rows",
      "inmetCSV file, from inmet658 rows",
    ]);
    // A curve from each to what is made of it, and each beside the one before.
    expect(await lineage(page).locator("svg path[data-state=done]").count()).toBe(3);
    const [file, silver, gold] = await Promise.all(
      [0, 1, 2].map(async (nth) => (await nodes.nth(nth).boundingBox())?.x),
    );
    expect(Number(file)).toBeLessThan(Number(silver));
    expect(Number(silver)).toBeLessThan(Number(gold));
    await nodes.nth(1).getByRole("link", { name: "inmet" }).click();
    await page.getByRole("heading", { level: 1, name: "inmet" }).waitFor();
  });

  it("is the list alone on a phone", async () => {
    await using visitor = await visit(browser, site, { viewport: { width: 390, height: 844 } });
    const { page } = visitor;
    await visitor.open(run);
    const nodes = lineage(page).getByRole("listitem");
    await expect.poll(() => nodes.count()).toBe(4);
    const [file, silver] = await Promise.all([0, 1].map(async (nth) => (await nodes.nth(nth).boundingBox())?.y));
    expect(Number(silver)).toBeGreaterThan(Number(file));
    expect(await nodes.nth(1).getByText("from thirty days.csv").isVisible()).toBe(true);
    expect(await lineage(page).locator("svg path").first().isVisible()).toBe(false);
  });
});

it("a delivery that is not done says why, and is tried again by its button", async () => {
  await using visitor = await visit(browser, site);
  const { page } = visitor;
  await visitor.open("#/stacks/small");
  await page.locator("input[type=file]").waitFor({ state: "attached" });
  await sendAndWait(page, "no secret.csv", "a,b\n1,2\n", "Quarantined");
  const deliveries = page.getByRole("region", { name: "Deliveries" });
  await deliveries.getByText("Tried again later").waitFor();
  await deliveries.getByText('"hook-', { exact: false }).waitFor();
  await visitor.expectAccessible();
  await deliveries.getByRole("button", { name: /^Try again now: / }).click();
  await expect.poll(() => page.getByRole("status").getByText("is delivered again.", { exact: false }).count()).toBe(1);
});

describe("an error", () => {
  it("of the API is shown in its own words", async () => {
    const answer = await fetch(`${site.url}/v1/runs/nothing`);
    const problem = (await answer.json()) as { title: string; detail: string };
    await using visitor = await visit(browser, site, { refusals: [404] });
    await visitor.open("#/runs/nothing");
    const alert = visitor.page.getByRole("alert");
    await alert.getByText(problem.title).first().waitFor();
    await expect.poll(() => alert.getByText(problem.detail).count()).toBe(1);
  });

  it("of the connection says so, and Try again works", async () => {
    const visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open("#/tables");
    const link = page.getByRole("region", { name: "inmet" }).getByRole("link", { name: "rain_by_day" });
    await link.waitFor();
    await page.context().setOffline(true);
    await link.click();
    const alert = page.getByRole("alert");
    await alert.getByText("The service cannot be reached").waitFor();
    await page.context().setOffline(false);
    await alert.getByRole("button", { name: "Try again" }).click();
    await expect.poll(() => page.getByRole("table", { name: "Rows of rain_by_day" }).count()).toBe(1);
    await page.context().close();
  });

  it("in the address leads back", async () => {
    await using visitor = await visit(browser, site);
    await visitor.open("#/nowhere");
    await visitor.page.getByText("There is nothing at this address").waitFor();
    await visitor.page.getByRole("link", { name: "Send a file instead" }).click();
    await expect.poll(() => visitor.page.getByRole("button", { name: "Choose a file" }).count()).toBe(1);
  });
});
