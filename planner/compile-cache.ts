import path from "node:path";

/** Where Node keeps compiled modules between runs: compiling the SDKs anew is a third of what a small plan costs. */
export const compileCache = path.join(import.meta.dirname, "..", ".cais", "compile-cache");
