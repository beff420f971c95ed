import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { Unavailable, type Peer } from "../peer.ts";

const run = promisify(execFile);
const root = dirname(dirname(dirname(import.meta.dirname)));
const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/** Chromium, driven by playwright-core, and the page as it is now. */
export const peer: Peer = {
  installs: `${installs()} Builds the page.`,

  async prepare() {
    const browser = found() ?? (await (debianRoot() ? installFromDebian() : installFromPlaywright()));
    await run(process.execPath, [join(root, "node_modules", "vite", "bin", "vite.js"), "build", "--logLevel", "warn"], {
      cwd: join(root, "processor", "portal"),
    });
    return { CAIS_CHROMIUM: browser };
  },
};

function installs(): string {
  const browser = found();
  if (browser !== null) return `Uses ${browser}.`;
  if (debianRoot()) return "Installs Debian's chromium by apt-get (about 410 MB).";
  return "Downloads a Chromium for playwright-core into its cache.";
}

function found(): string | null {
  const given = process.env["CAIS_CHROMIUM"];
  if (given !== undefined) return given;
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const program = names.map((name) => join(folder, name)).find(executable);
    if (program !== undefined) return program;
  }
  const downloaded = chromium.executablePath();
  return existsSync(downloaded) ? downloaded : null;
}

function executable(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EACCES") return false;
    throw error;
  }
}

function debianRoot(): boolean {
  const release = "/etc/os-release";
  return process.getuid?.() === 0 && existsSync(release) && /^ID(_LIKE)?=.*debian/m.test(readFileSync(release, "utf8"));
}

async function installFromDebian(): Promise<string> {
  const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, maxBuffer: 2 ** 26 };
  try {
    await run("apt-get", ["update"], options);
    await run("apt-get", ["install", "-y", "--no-install-recommends", "chromium"], options);
  } catch (cause) {
    throw new Unavailable(`apt-get could not install chromium: ${reason(cause)}. Set CAIS_CHROMIUM to a browser.`, {
      cause,
    });
  }
  return "/usr/bin/chromium";
}

async function installFromPlaywright(): Promise<string> {
  const cli = join(root, "node_modules", "playwright-core", "cli.js");
  try {
    await run(process.execPath, [cli, "install", "chromium"], { maxBuffer: 2 ** 26 });
  } catch (cause) {
    throw new Unavailable(`no Chromium could be downloaded: ${reason(cause)}. Set CAIS_CHROMIUM to a browser.`, {
      cause,
    });
  }
  return chromium.executablePath();
}

/** The line in which a failed command says why, else the last that it wrote, or why it could not start. */
function reason(error: unknown): string {
  const written = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
  const lines = written.split("\n");
  return lines.find((line) => /\berror\b|\bE: /i.test(line)) ?? (lines.at(-1) || String(error));
}
