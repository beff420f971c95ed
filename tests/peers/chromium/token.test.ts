import { readFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startSite, type Site } from "./site.ts";
import { openBrowser, sendAndWait, visit } from "./visit.ts";
import { weather } from "./weather.ts";

const token = "a-token-for-this-test-alone-0123456789";
let browser: Browser;
let site: Site;

beforeAll(async () => {
  [browser, site] = await Promise.all([openBrowser(), startSite({ token })]);
});
afterAll(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
});

it("is asked for, refused when wrong, and kept for the tab", async () => {
  await using visitor = await visit(browser, site, { refusals: [401] });
  const { page } = visitor;
  await visitor.open("#/stacks/inmet");
  await page.getByRole("heading", { name: "Access token needed" }).waitFor();
  await visitor.expectAccessible();
  const field = page.getByLabel("Access token", { exact: true });
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("Enter the token.").waitFor();
  await field.fill("wrong");
  await field.press("Enter");
  await page.getByText("That token was not accepted.", { exact: false }).waitFor();
  await field.fill(token);
  await field.press("Enter");
  await page.getByRole("button", { name: "Choose a file" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Choose a file" }).waitFor();
  expect(page.url()).not.toContain(token);
});

it("goes with uploads, polls and downloads", async () => {
  await using visitor = await visit(browser, site, { refusals: [401] });
  const { page } = visitor;
  await visitor.open("");
  const field = page.getByLabel("Access token", { exact: true });
  await field.fill(token);
  await field.press("Enter");
  await page.getByRole("button", { name: "Choose a file" }).waitFor();
  await sendAndWait(page, "behind a token.csv", weather({ from: "2024-01-01", days: 2, silent: [4] }));
  const rejected = page.getByRole("region", { name: "Rejected rows" });
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    rejected.getByRole("link", { name: /Download CSV/ }).click(),
  ]);
  expect((await readFile(await download.path(), "utf8")).trim().split(/\r?\n/)).toHaveLength(2);
});
