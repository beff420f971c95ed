import { AxeBuilder } from "@axe-core/playwright";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { expect } from "vitest";
import type { Site } from "./site.ts";

/** Nothing but the page may speak to the network. */
const quiet = [
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Opens the browser that `peer.prepare` found. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env["CAIS_CHROMIUM"] ?? "chromium",
    // Chromium refuses to run as root with its sandbox.
    args: process.getuid?.() === 0 ? [...quiet, "--no-sandbox"] : quiet,
  });

/** One person's look at the page. What goes wrong unseen is kept, and checked at the end. */
export interface Visit extends AsyncDisposable {
  page: Page;
  /** Opens a view by its address after `#`. */
  open(hash: string): Promise<void>;
  /** Expects that axe finds nothing in what is shown now. */
  expectAccessible(): Promise<void>;
}

interface VisitOptions extends BrowserContextOptions {
  /** HTTP states that this visit provokes: the browser logs each as an error. */
  refusals?: number[];
  /** Other origins that the page may ask. */
  origins?: string[];
  /** Whether one of them may refuse the page, of which the browser logs several errors. */
  mayBeForeign?: boolean;
}

/** Visits a site. Disposing expects that no other origin was asked, nothing was logged as an error and the CSP was kept. */
export async function visit(browser: Browser, site: Pick<Site, "url">, options: VisitOptions = {}): Promise<Visit> {
  const { refusals = [], origins = [], mayBeForeign = false, ...contextOptions } = options;
  const context = await browser.newContext({ locale: "en-GB", reducedMotion: "reduce", ...contextOptions });
  const foreign: string[] = [];
  const errors: string[] = [];
  context.on("request", (request) => {
    const own = [`${site.url}/`, `blob:${site.url}/`, ...origins.map((origin) => `${origin}/`)];
    if (!own.some((begin) => request.url().startsWith(begin))) foreign.push(request.url());
  });
  await context.exposeBinding("reportViolation", (_, violation: string) => void errors.push(violation));
  await context.addInitScript(
    `addEventListener("securitypolicyviolation", (event) =>
       reportViolation("CSP: " + event.violatedDirective + " " + event.blockedURI))`,
  );
  const page = await context.newPage();
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    const expected =
      refusals.some((status) => message.text().includes(`the server responded with a status of ${status}`)) ||
      (mayBeForeign && /blocked by CORS policy|net::ERR_FAILED/.test(message.text()));
    if (message.type() === "error" && !expected) errors.push(message.text());
  });

  return {
    page,
    open: async (hash) => {
      await page.goto(`${site.url}/${hash}`);
    },
    async expectAccessible() {
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`)).toEqual([]);
    },
    async [Symbol.asyncDispose]() {
      await context.close();
      expect(foreign, "requests to other origins").toEqual([]);
      expect(errors, "errors in the browser").toEqual([]);
    },
  };
}

/** A file as a person would choose it. */
export const csv = (name: string, content: string) => ({ name, mimeType: "text/csv", buffer: Buffer.from(content) });

/** Drops a file on the page as the mouse does. */
export async function drop(page: Page, name: string, content: string) {
  const file = `new File([${JSON.stringify(content)}], ${JSON.stringify(name)}, { type: "text/csv" })`;
  const transfer = await page.evaluateHandle(`(() => {
    const transfer = new DataTransfer();
    transfer.items.add(${file});
    return transfer;
  })()`);
  const zone = page.locator(".mantine-Dropzone-root");
  for (const event of ["dragenter", "dragover", "drop"]) await zone.dispatchEvent(event, { dataTransfer: transfer });
}

/** Sends a file and waits until its run is shown and has ended with this state. */
export async function sendAndWait(page: Page, name: string, content: string, state = "Done") {
  await page.locator("input[type=file]").setInputFiles(csv(name, content));
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await page.getByText(state, { exact: true }).first().waitFor();
}

/** The three counts of the run shown. */
export const counts = async (page: Page) =>
  Promise.all(["read", "clean", "rejected"].map((name) => page.locator(`[data-count=${name}]`).textContent()));

/** What has the focus: its words. */
export const focused = (page: Page) => page.evaluate<string>("document.activeElement.textContent");
