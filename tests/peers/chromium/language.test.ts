import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startSite, type Site } from "./site.ts";
import { openBrowser, sendAndWait, visit } from "./visit.ts";
import { weather } from "./weather.ts";

let browser: Browser;
let site: Site;
let run: string;

beforeAll(async () => {
  [browser, site] = await Promise.all([openBrowser(), startSite()]);
  await using visitor = await visit(browser, site);
  await visitor.open("");
  await sendAndWait(visitor.page, "fifty days.csv", weather({ from: "2024-01-01", days: 50 }));
  run = new URL(visitor.page.url()).hash;
});
afterAll(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
});

it("is the browser's, can be changed, and is remembered", async () => {
  await using visitor = await visit(browser, site, { locale: "pt-BR" });
  const { page } = visitor;
  const language = () => page.locator("html").getAttribute("lang");
  await visitor.open(run);
  await page.getByText("1.200", { exact: false }).first().waitFor();
  expect(await language()).toBe("pt-BR");
  await page.getByText("Concluída", { exact: true }).first().waitFor();
  await page.getByText("Nenhuma linha foi rejeitada.").waitFor();
  await page.getByLabel("Idioma").selectOption("en");
  await page.getByText("1,200", { exact: false }).first().waitFor();
  expect(await language()).toBe("en");
  await page.reload();
  await page.getByText("No row was rejected.").waitFor();
  expect(await language()).toBe("en");
});

it("is English for everybody else", async () => {
  await using visitor = await visit(browser, site, { locale: "fr-FR" });
  await visitor.open("");
  await visitor.page.getByRole("button", { name: "Choose a file" }).waitFor();
  expect(await visitor.page.locator("html").getAttribute("lang")).toBe("en");
});

it("writes the dates of a table", async () => {
  await using visitor = await visit(browser, site, { locale: "pt-BR", timezoneId: "America/Sao_Paulo" });
  await visitor.open("#/tables/inmet/rain_by_day");
  const rows = visitor.page.getByRole("table", { name: "Linhas de rain_by_day" }).getByRole("row");
  await rows.nth(1).waitFor();
  // West of Greenwich a date is still the same date.
  expect((await rows.nth(1).getByRole("cell").allTextContents())[0]).toBe("1 de jan. de 2024");
});
