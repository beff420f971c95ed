import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSite, type Site } from "./site.ts";
import { counts, csv, drop, focused, openBrowser, sendAndWait, visit } from "./visit.ts";
import { weather } from "./weather.ts";

let browser: Browser;
let site: Site;

beforeAll(async () => {
  [browser, site] = await Promise.all([openBrowser(), startSite()]);
});
afterAll(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
});

describe("before the first file", () => {
  it("tells how to begin, in every list", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open("");
    await page.getByText("Nothing has been sent to this pipeline yet.").waitFor();
    await page.getByRole("link", { name: "Runs" }).click();
    await page.getByText("No file has been sent yet").waitFor();
    await page.getByRole("link", { name: "Tables" }).click();
    await page.getByText("Empty until the first file").first().waitFor();
    await page.getByRole("link", { name: "rain_by_day" }).first().click();
    await expect.poll(() => page.getByText("This table has no rows yet").count()).toBe(1);
  });
});

describe("sending a file", () => {
  const file = weather({ from: "2024-01-01", days: 20, silent: [3, 7], wordy: [9] });

  it("that is dropped shows how much is sent, then its run with the counts", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open("#/stacks/inmet");
    await page.getByText("Drop your file here").waitFor();
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: 12_000,
    });
    await drop(page, "january.csv", file);
    const bar = page.getByRole("progressbar", { name: "january.csv: share sent" });
    await bar.waitFor();
    const share = Number(await bar.getAttribute("aria-valuenow"));
    expect(share).toBeLessThan(100);
    await expect.poll(async () => Number(await bar.getAttribute("aria-valuenow"))).toBeGreaterThan(share);
    await page
      .getByRole("status")
      .getByText(/^january.csv: \d+% sent$/)
      .waitFor();

    await page.getByRole("heading", { level: 1, name: "january.csv" }).waitFor();
    await page.getByText("Done", { exact: true }).first().waitFor();
    expect(await counts(page)).toEqual(["480", "477", "3"]);
    await page.getByRole("status").getByText("480 rows read, 477 clean, 3 rejected.").waitFor();
    expect(await page.getByRole("listitem").filter({ hasText: "Check every row" }).textContent()).toMatch(
      /\d (ms|sec)/,
    );
    expect(await focused(page)).toBe("january.csv");
    expect(await page.title()).toBe("january.csv · Cais");
  });

  it("by the keyboard alone works", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open("");
    await page.getByRole("button", { name: "Choose a file" }).waitFor();
    const chooser = page.waitForEvent("filechooser");
    await expect
      .poll(async () => {
        await page.keyboard.press("Tab");
        return focused(page);
      })
      .toBe("Choose a file");
    await page.keyboard.press("Enter");
    await (await chooser).setFiles(csv("february.csv", weather({ from: "2024-02-01", days: 1 })));
    await page.getByRole("heading", { level: 1, name: "february.csv" }).waitFor();
    await page.getByText("Done", { exact: true }).first().waitFor();
    expect(await counts(page)).toEqual(["24", "24", "0"]);
    await page.getByText("No row was rejected.").waitFor();
  });

  it("a second time answers with the first run, and loads it again only when told to", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open("");
    const content = weather({ from: "2024-03-01", days: 1 });
    await sendAndWait(page, "march.csv", content);
    const first = page.url();
    await page.getByRole("link", { name: "Send a file" }).click();
    await page.locator("input[type=file]").setInputFiles(csv("copy of march.csv", content));
    await page.getByRole("alert").getByText("This file was loaded before").waitFor();
    expect(await page.getByRole("link", { name: "See that run" }).getAttribute("href")).toBe(new URL(first).hash);
    await page.getByRole("button", { name: "Load it again" }).click();
    await page.getByRole("heading", { level: 1, name: "copy of march.csv" }).waitFor();
    await page.getByText("Done", { exact: true }).first().waitFor();
    expect(page.url()).not.toBe(first);
    expect(await counts(page)).toEqual(["24", "24", "0"]);
  });

  it("of several at once lists each", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open("");
    const files = ["05", "06"].map((month) => csv(`${month}.csv`, weather({ from: `2024-${month}-01`, days: 1 })));
    const sheet = { name: "07.xlsx", mimeType: "application/zip", buffer: Buffer.from("PK") };
    await page.locator("input[type=file]").setInputFiles([...files, sheet]);
    await page.getByRole("alert").getByText("07.xlsx was not sent").waitFor();
    const list = page.getByRole("region", { name: "Files being sent" });
    await expect.poll(() => list.getByText("Received").count()).toBe(2);
    await list.getByRole("link", { name: "Follow it" }).first().click();
    await page.getByRole("heading", { level: 1, name: "05.csv" }).waitFor();
  });
});

describe("a file that cannot be used", () => {
  it("is refused in the API's own words, and can be sent again or taken off the list", async () => {
    await using visitor = await visit(browser, site, { refusals: [507] });
    const { page } = visitor;
    await page.route("**/v1/stacks/inmet/files", (route) =>
      route.fulfill({
        status: 507,
        contentType: "application/problem+json",
        json: { type: "urn:cais:problem:full", title: "The store is full", status: 507, detail: "Ask for more room." },
      }),
    );
    await visitor.open("");
    await page.locator("input[type=file]").setInputFiles(csv("july.csv", weather({ from: "2024-07-01", days: 1 })));
    await page.getByRole("alert").getByText("The store is full").waitFor();
    await page.getByText("Ask for more room.").waitFor();
    await visitor.expectAccessible();
    await page.unroute("**/v1/stacks/inmet/files");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("heading", { level: 1, name: "july.csv" }).waitFor();
    await page.getByText("Done", { exact: true }).first().waitFor();
    await page.getByRole("link", { name: "Send a file" }).click();
    await page.getByRole("button", { name: "Remove july.csv from the list" }).click();
    await expect.poll(() => page.getByRole("region", { name: "Files being sent" }).count()).toBe(0);
  });

  it("with the columns of another says so and what to do", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    await visitor.open("");
    await page.locator("input[type=file]").setInputFiles(csv("broken.csv", "a,b\n1,2\n"));
    await page.getByRole("heading", { level: 1, name: "broken.csv" }).waitFor();
    const alert = page.getByRole("alert");
    await alert.getByText("This file was put in quarantine").waitFor();
    await alert.getByText("none of the 19 columns expected; is it the right file?", { exact: false }).waitFor();
    await alert.getByRole("link", { name: "Send a corrected file" }).click();
    await expect.poll(() => page.getByRole("button", { name: "Choose a file" }).count()).toBe(1);
  });

  it("is not sent when it is empty, too large or of another kind", async () => {
    await using visitor = await visit(browser, site);
    const { page } = visitor;
    let posts = 0;
    page.on("request", (request) => void (posts += Number(request.method() === "POST")));
    await visitor.open("#/stacks/small");
    const input = page.locator("input[type=file]");
    const alert = page.getByRole("alert");
    await input.setInputFiles(csv("large.csv", weather({ from: "2024-01-01", days: 1 })));
    await alert.getByText("this pipeline takes up to 1 kB", { exact: false }).waitFor();
    await input.setInputFiles({ name: "sheet.xlsx", mimeType: "application/zip", buffer: Buffer.from("PK") });
    await alert.getByText("sheet.xlsx was not sent").waitFor();
    await alert.getByText("This pipeline takes CSV, also compressed", { exact: false }).waitFor();
    await input.setInputFiles(csv("empty.csv", ""));
    await alert.getByText("The file is empty.").waitFor();
    expect(posts).toBe(0);
  });
});

it("offers a build that loads quickly", async () => {
  await using visitor = await visit(browser, site);
  const sizes: number[] = [];
  visitor.page.on("response", async (response) => {
    if (/\.(js|css)$/.test(response.url())) sizes.push((await response.body()).length);
  });
  await visitor.open("");
  await visitor.page.getByRole("button", { name: "Choose a file" }).waitFor();
  // Before compression; the chart's library is not among them.
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(700_000);
});
