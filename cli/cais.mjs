#!/usr/bin/env node
// Plain JavaScript: an older Node cannot even read a .ts file, and its user deserves a sentence instead of a stack trace.
const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    `cais needs Node >= 24, and this is ${process.version}. Run it through npm, which brings its own: npm ci, then npx cais.\n`,
  );
  process.exit(2);
}
await import("./main.ts");
