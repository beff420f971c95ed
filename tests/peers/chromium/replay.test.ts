import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startSite, type Site } from "./site.ts";
import { counts, csv, focused, openBrowser, sendAndWait, visit } from "./visit.ts";
import { weather } from "./weather.ts";

let browser: Browser;
let site: Site;
let files = 0;
let name: string;
let run: string;

beforeAll(async () => {
  [browser, site] = await Promise.all([openBrowser(), startSite()]);
});
afterAll(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  files++;
  name = `day ${files}.csv`;
  await using visitor = await visit(browser, site);
  await visitor.open("");
  // One row has a word for a number, one has no measurement.
  await sendAndWait(visitor.page, name, weather({ from: `2024-01-0${files}`, days: 1, wordy: [2], silent: [5] }));
  run = new URL(visitor.page.url()).hash;
});

const open = (page: Page) => page.getByRole("region", { name: /rows? (is|are) open/ });
const history = (page: Page) => page.getByRole("region", { name: "What was done with this file" });
const queue = (page: Page) => page.getByRole("status");

async function editable(page: Page): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    open(page)
      .getByRole("link", { name: /Download to edit/ })
      .click(),
  ]);
  expect(download.suggestedFilename()).toBe(`day ${files} open rows.csv`);
  return readFile(await download.path(), "utf8");
}

describe("open rows", () => {
  it("are downloaded, corrected, sent back and loaded; what is left stays open", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open(run);
    await open(page).getByRole("heading", { name: "2 rows are open" }).waitFor();
    const rows = await editable(page);
    expect(rows).toMatch(/^\uFEFFcais row,cais reasons,cais text,Data,/);
    await page.locator("input[type=file]").setInputFiles(csv("corrected.csv", rows.replace(",wet,", ",1.5,")));
    await page.getByRole("link", { name: "Replay of this file" }).waitFor();
    await expect.poll(() => counts(page)).toEqual(["2", "1", "1"]);
    await queue(page).getByText("2 rows read, 1 clean, 1 rejected.").waitFor();
    expect(await focused(page)).toBe(name);
    await open(page).getByRole("heading", { name: "1 row is open" }).waitFor();
    const entries = history(page).getByRole("listitem");
    await expect.poll(() => entries.count()).toBe(2);
    expect(await entries.nth(0).textContent()).toMatch(/^Replay \(shown here\).*1 clean, 1 rejected/);
    await entries.nth(1).getByRole("link", { name: "Load" }).click();
    await expect.poll(() => counts(page)).toEqual(["24", "22", "2"]);
    await open(page).getByRole("heading", { name: "1 row is open" }).waitFor();
    await visitor.expectAccessible();
  });

  it("are replayed as they are by the keyboard, after a question", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open(run);
    const replay = open(page).getByRole("button", { name: "Replay as they are" });
    await replay.focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Replay what is open?" });
    await dialog.waitFor();
    await visitor.expectAccessible();
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    expect(await focused(page)).toBe("Replay as they are");
    await page.keyboard.press("Enter");
    await dialog.getByRole("button", { name: "Cancel" }).waitFor();
    expect(await focused(page)).toBe("Cancel");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "Replay of this file" }).waitFor();
    await expect.poll(() => counts(page)).toEqual(["2", "0", "2"]);
  });

  it("that are sent wrong load nothing, and the page says why", async () => {
    await using visitor = await visit(browser, site, { refusals: [415] });
    const { page } = visitor;
    await visitor.open(run);
    await open(page).waitFor();
    await page.locator("input[type=file]").setInputFiles(csv("corrected.txt", "x"));
    const alert = page.getByRole("alert");
    await alert.getByText("It was not replayed").waitFor();
    await alert.getByText("this file is called corrected.txt", { exact: false }).waitFor();
    await visitor.expectAccessible();
    await page.locator("input[type=file]").setInputFiles(csv("corrected.csv", "cais row,Data\n2,2024-01-01\n"));
    await alert.getByText("nothing of them was loaded", { exact: false }).waitFor();
    await expect.poll(() => alert.getByText("The tables are as they were before it.").count()).toBe(1);
  });
});

describe("a file", () => {
  it("is run again after a question", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open(run);
    await history(page).getByRole("button", { name: "Run again" }).click();
    const dialog = page.getByRole("dialog", { name: "Run the whole file again?" });
    await dialog.getByRole("button", { name: "Run again" }).click();
    await page.getByRole("link", { name: "Rerun of this file" }).waitFor();
    await expect.poll(() => counts(page)).toEqual(["24", "22", "2"]);
    await page.getByRole("link", { name: "Runs", exact: true }).click();
    await page.getByText("Rerun · 2 rows open").first().waitFor();
  });

  it("is downloaded as it was sent", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open(run);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      history(page)
        .getByRole("link", { name: `Download the file: ${name}` })
        .click(),
    ]);
    expect(download.suggestedFilename()).toBe(name);
    expect(await readFile(await download.path(), "utf8")).toBe(
      weather({ from: `2024-01-0${files}`, days: 1, wordy: [2], silent: [5] }),
    );
  });

  it("that could not be read says what to do, in Portuguese too", async () => {
    await using visitor = await visit(browser, site, { locale: "pt-BR" });
    const { page } = visitor;
    await visitor.open("");
    await page.locator("input[type=file]").setInputFiles(csv(`${name} broken.csv`, `a,b\n${files},2\n`));
    const region = page.getByRole("region", { name: "O arquivo inteiro está em aberto" });
    await region.getByRole("button", { name: "Reprocessar como está" }).waitFor();
    expect(await region.getByRole("link").count()).toBe(0);
    expect(await page.getByRole("button", { name: "Executar de novo" }).count()).toBe(0);
    await visitor.expectAccessible();
  });

  it("that could not be read fits a narrow window in Portuguese", async () => {
    await using visitor = await visit(browser, site, { locale: "pt-BR", viewport: { width: 360, height: 740 } });
    const { page } = visitor;
    await visitor.open("");
    await page.locator("input[type=file]").setInputFiles(csv("narrow.csv", "x,y\n1,2\n"));
    const alert = page.getByRole("alert");
    await alert.getByText("Este arquivo foi posto em quarentena").waitFor();
    const inside = await alert.boundingBox();
    const button = await alert.getByRole("link", { name: "Enviar um arquivo corrigido" }).boundingBox();
    expect(button && inside && button.x + button.width <= inside.x + inside.width - 8).toBe(true);
  });
});
