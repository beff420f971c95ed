import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingModule } from "./missing-module.ts";

const tests = path.join(import.meta.dirname, "..", ".cais", "tests");

describe("an import that leads nowhere", () => {
  let root: string;
  let importer: string;
  beforeAll(async () => {
    await mkdir(tests, { recursive: true });
    root = await mkdtemp(path.join(tests, "missing-module-"));
    importer = path.join(root, "main.ts");
    await writeFile(importer, `// nowhere.ts\nimport "./nowhere.ts";\nimport { x } from "no-such-package/x.js";\n`);
  });
  afterAll(() => rm(root, { recursive: true }));

  it("is told with its line", () => {
    expect(
      missingModule(`Cannot find module '${path.join(root, "nowhere.ts")}' imported from ${importer}`, root),
    ).toEqual({
      message: "cannot find the module nowhere.ts that main.ts imports; correct the path",
      location: { file: "main.ts", line: 2 },
    });
    const url = pathToFileURL(importer).href;
    expect(missingModule(`Cannot find package 'no-such-package' imported from ${url}`, root)).toEqual({
      message:
        "cannot find the package no-such-package that main.ts imports; add it to package.json and run npm install",
      location: { file: "main.ts", line: 3 },
    });
  });

  it("has no line in a file that is not the project's", () => {
    const theirs = path.join(root, "node_modules", "a", "index.js");
    const { message, location } = missingModule(`Cannot find package 'b' imported from ${theirs}`, root) ?? {};
    expect({ message, location }).toEqual({
      message: `cannot find the package b that node_modules/a/index.js imports; add it to package.json and run npm install`,
      location: undefined,
    });
    expect(missingModule("the token is missing", root)).toBeUndefined();
  });
});
