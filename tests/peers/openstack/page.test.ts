import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { counts, focused, openBrowser, visit } from "../chromium/visit.ts";
import { expectOnce, type Ivi, inventory, LIMITS, PATIENCE, startIvi } from "./ivi.ts";

vi.setConfig(LIMITS);

async function done(page: Page, name: string): Promise<void> {
  await page.getByRole("heading", { level: 1, name }).waitFor(PATIENCE);
  await page.getByText("Done", { exact: true }).first().waitFor(PATIENCE);
}

// The peer says why it found none.
describe.skipIf(process.env["CAIS_CHROMIUM"] === undefined)("the page of ivi", () => {
  let ivi: Ivi;
  let browser: Browser;
  beforeAll(async () => {
    ivi = await startIvi({ page: resolve("processor/portal/dist") });
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await ivi?.stop();
  });

  const swift = () => new URL(ivi.lab.storageUrl).origin;
  const input = () => `/${ivi.containers["ivi-input"]}`;
  const visitIvi = (options: { mayBeForeign?: boolean } = {}) =>
    visit(browser, { url: ivi.url() }, { origins: [swift()], ...options });

  /** Names the origins whose pages may put files into the container, as its operator does. */
  async function allowOrigin(origin: string): Promise<void> {
    const headers = { "X-Container-Meta-Access-Control-Allow-Origin": origin };
    expect((await ivi.swift("POST", input(), { headers })).status).toBe(204);
  }

  /** What is sent: to the store itself, and to the API. */
  function watched(page: Page): string[] {
    const sent: string[] = [];
    page.on("request", (request) => {
      const { origin, pathname } = new URL(request.url());
      if (request.method() === "PUT" || pathname.endsWith("/files")) sent.push(origin === swift() ? "store" : "API");
    });
    return sent;
  }

  /** A file that is large by a column that the stack does not read. */
  async function largeFile(name: string, plot: number, trees: number): Promise<string> {
    const [head = "", ...lines] = inventory(plot, trees).trimEnd().split("\n");
    const note = "x".repeat(2000);
    const path = join(ivi.folder, name);
    await writeFile(path, [`${head};Nota`, ...lines.map((line) => `${line};${note}`), ""].join("\n"));
    return path;
  }

  it("takes a file, shows its run, and says how long others' files may wait", async () => {
    await using visitor = await visitIvi();
    const { page } = visitor;
    await visitor.open("");
    const sent = watched(page);
    const path = join(ivi.folder, "pagina.csv");
    await writeFile(path, inventory(810, 6));
    await page.locator("input[type=file]").setInputFiles(path);
    await done(page, "pagina.csv");
    expect(sent).toEqual(["API"]);
    await expectOnce(ivi, { "pagina.csv": { plot: 810, trees: 6 } });
    // The list of stacks is read anew with the page.
    const looked = page.getByText(/found by themselves: looking through the \d+ that (is|are) there took/);
    await expect
      .poll(async () => {
        await visitor.open("#/stacks/ivi");
        await page.reload();
        await page.getByRole("button", { name: "Choose a file" }).waitFor(PATIENCE);
        return looked.count();
      }, PATIENCE)
      .toBe(1);
    await visitor.expectAccessible();
  });

  it("puts a large file straight into Swift, where its container names the page's origin", async () => {
    await allowOrigin(ivi.url());
    await using visitor = await visitIvi();
    const { page } = visitor;
    await visitor.open("");
    const sent = watched(page);
    const devtools = await page.context().newCDPSession(page);
    const uploadThroughput = 8 << 20;
    await devtools.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput,
    });
    await page.locator("input[type=file]").setInputFiles(await largeFile("grande.csv", 811, 9000));
    const bar = page.getByRole("progressbar", { name: "grande.csv: share sent" });
    await expect.poll(async () => Number(await bar.getAttribute("aria-valuenow")), PATIENCE).toBeGreaterThan(0);
    await visitor.expectAccessible();
    await page
      .getByRole("status")
      .getByText(/^grande.csv: \d+% sent$/)
      .waitFor(PATIENCE);
    await done(page, "grande.csv");
    expect(sent).toEqual(["store"]);
    expect(await counts(page)).toEqual(["9,000", "9,000", "0"]);
    expect(await focused(page)).toBe("grande.csv");
    await expectOnce(ivi, { "grande.csv": { plot: 811, trees: 9000 } });
  });

  it("stops putting it when it is cancelled, by the keyboard too, and leaves nothing", async () => {
    await using visitor = await visitIvi();
    const { page } = visitor;
    await visitor.open("");
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: 100_000,
    });
    await page.locator("input[type=file]").setInputFiles(await largeFile("cancelado.csv", 812, 9000));
    const bar = page.getByRole("progressbar", { name: "cancelado.csv: share sent" });
    await expect.poll(async () => Number(await bar.getAttribute("aria-valuenow")), PATIENCE).toBeGreaterThan(0);
    await page.getByRole("button", { name: "Cancel sending cancelado.csv" }).focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => bar.count(), PATIENCE).toBe(0);
    const listed = await (await ivi.swift("GET", `${input()}?format=json`)).text();
    expect(listed).not.toContain("cancelado");
    expect((await ivi.runs()).filter(({ file }) => file.name === "cancelado.csv")).toEqual([]);
  });

  it("sends it by the API where the store does not take it from the page", async () => {
    await allowOrigin("https://elsewhere.example.org");
    await using visitor = await visitIvi({ mayBeForeign: true });
    const { page } = visitor;
    await visitor.open("");
    const sent = watched(page);
    await page.locator("input[type=file]").setInputFiles(await largeFile("alheio.csv", 813, 9000));
    await done(page, "alheio.csv");
    expect(sent.at(-1)).toBe("API");
    await expectOnce(ivi, { "alheio.csv": { plot: 813, trees: 9000 } });
  });
});
