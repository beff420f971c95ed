// Makes a fresh clone ready: installs what package-lock.json names and, with --page, builds the web page; does nothing when
// both are current. Plain JavaScript, because it runs on whatever Node the machine has: Node 24 comes with the install.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const portal = join(root, "processor", "portal");

if (!installed()) {
  say("Installing dependencies: about 900 MB in node_modules, once.");
  run(process.execPath, [npm(), "ci", "--no-audit", "--no-fund", "--loglevel=error"], root);
}
const node = join(root, "node_modules", ".bin", process.platform === "win32" ? "node.cmd" : "node");
if (!existsSync(node) && Number(process.versions.node.split(".")[0]) < 24)
  fail(
    `No Node 24 is packaged for ${process.platform}-${process.arch}, and this one is ${process.version}. Install Node >= 24.`,
  );

if (process.argv.includes("--page") && !pageCurrent()) {
  say("Building the page.");
  run(process.execPath, [npm(), "run", "--silent", "build", "--workspace", "@cais/portal"], root);
}

/** Compares what npm recorded of its last install with the lockfile; a package of another platform may be absent. */
function installed() {
  const recorded = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(recorded)) return false;
  const have = JSON.parse(readFileSync(recorded, "utf8")).packages;
  const want = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  return Object.entries(want).every(
    ([path, { version, optional, link }]) =>
      !path.startsWith("node_modules/") || link || (have[path] ? have[path].version === version : optional),
  );
}

function pageCurrent() {
  const built = statSync(join(portal, "dist", "index.html"), { throwIfNoEntry: false });
  return built !== undefined && newest(portal) <= built.mtimeMs && newest(join(root, "spec")) <= built.mtimeMs;
}

function newest(folder) {
  const times = readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "dist" && name !== "node_modules" && !name.includes(".test."))
    .map((entry) =>
      entry.isDirectory() ? newest(join(folder, entry.name)) : statSync(join(folder, entry.name)).mtimeMs,
    );
  return Math.max(0, ...times);
}

function npm() {
  const path = process.env["npm_execpath"];
  if (path) return path;
  return fail(`Run ${relative(process.cwd(), fileURLToPath(import.meta.url))} through npm: npm start, or npm test.`);
}

function run(command, args, cwd) {
  const { status, signal, error } = spawnSync(command, args, { cwd, stdio: "inherit" });
  if (error) fail(`${command} could not be started: ${error.message}`);
  if (status !== 0)
    fail(
      `npm ${args.slice(1).join(" ")} ended with ${signal ?? `exit code ${status}`}; its messages are above.`,
      signal ? 130 : 1,
    );
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

function fail(line, code = 1) {
  say(line);
  process.exit(code);
}
