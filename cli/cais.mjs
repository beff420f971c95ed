#!/usr/bin/env node
// Plain JavaScript: an older Node cannot even read a .ts file, and its user deserves a sentence instead of a stack trace.
import module from "node:module";
import { fileURLToPath } from "node:url";

const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    `cais needs Node >= 24, and this is ${process.version}. Run it through npm, which brings its own: npm ci, then npx cais.\n`,
  );
  process.exit(2);
}
// Stripping the types of every module again costs each command 0.1 s of CPU, and each SQL engine that it starts 0.2 s.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("../.cais/compile-cache", import.meta.url));
module.enableCompileCache(process.env["NODE_COMPILE_CACHE"]);
await import("./main.ts");
