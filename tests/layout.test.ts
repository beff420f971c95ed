import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");

interface Source {
  path: string;
  text: string;
}

const ignored = new Set(["node_modules", "dist", ".cais", ".git", "__pycache__"]);
/** This file is left out: its examples break every rule. So is what npm writes. */
const leftOut = new Set(["tests/layout.test.ts", "package-lock.json"]);

const sources: Source[] = globSync("**/*", { cwd: root, exclude: (path) => ignored.has(basename(path)) })
  .filter((path) => /(\.(ts|tsx|mjs|js|py|sh|sql|yaml|yml|json|md|service|timer)|Dockerfile)$/.test(path))
  .filter((path) => !leftOut.has(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

const isCode = (path: string) => /\.(ts|tsx|mjs|js|py|sh)$/.test(path);
const isTest = (path: string) => /(\.test\.tsx?|\/conformance\.ts)$/.test(path) || path.includes("/fixtures/");
const isModule = (path: string) => /\.(ts|tsx|mjs|js)$/.test(path);

/** The modules that a source imports, by the names it uses. */
const imports = ({ text }: Source): string[] =>
  [...text.matchAll(/\bfrom\s+["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g)].map(
    ([, named, bare]) => named ?? bare ?? "",
  );

/** True when everything imported is relative, built in, or of the packages named. */
const importsOnly = (source: Source, packages: RegExp) =>
  imports(source).every((name) => name.startsWith(".") || name.startsWith("node:") || packages.test(name));

const withoutComments = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");

interface Rule {
  name: string;
  broken(source: Source): boolean;
  /** A file that breaks the rule: a rule that cannot fail is none. */
  example: Source;
}

const rules: Rule[] = [
  {
    name: "no folder is called utils, helpers, common, lib or core",
    broken: ({ path }) => /(^|\/)(utils?|helpers?|common|lib|core)(\/|\.\w+$)/.test(path),
    example: { path: "components/utils/names.ts", text: "" },
  },
  {
    name: "a file has at most 300 lines, a test 400",
    broken: ({ path, text }) => isCode(path) && text.split("\n").length - 1 > (isTest(path) ? 400 : 300),
    example: { path: "planner/engine.ts", text: "\n".repeat(301) },
  },
  {
    name: "no provider's root is imported: it costs seconds and a gigabyte of type checking",
    broken: (source) =>
      isModule(source.path) &&
      imports(source).some((name) =>
        /^@pulumi\/(openstack|aws|azure-native|kubernetes|docker)(\/index(\.js)?)?$/.test(name),
      ),
    example: { path: "components/secret/aws.ts", text: 'import * as aws from "@pulumi/aws/index.js";\n' },
  },
  {
    name: "the processor knows nothing of Pulumi",
    broken: (source) =>
      source.path.startsWith("processor/") &&
      isModule(source.path) &&
      imports(source).some((name) => name.startsWith("@pulumi/")),
    example: { path: "processor/src/main.ts", text: 'const pulumi = await import("@pulumi/pulumi");\n' },
  },
  {
    // The API's process would start half as fast again.
    name: "only the engine loads DuckDB",
    broken: (source) =>
      source.path.startsWith("processor/src/") &&
      !source.path.startsWith("processor/src/engine/") &&
      isModule(source.path) &&
      !isTest(source.path) &&
      !source.path.endsWith("-for-tests.ts") &&
      /^import (?!type\b)[^;]*from "@duckdb\//m.test(source.text),
    example: {
      path: "processor/src/rejected/index.ts",
      text: 'import {\n  DuckDBListValue,\n  type DuckDBValue,\n} from "@duckdb/node-api";\n',
    },
  },
  {
    name: "spec imports zod and yaml, nothing else",
    broken: (source) =>
      source.path.startsWith("spec/") &&
      isModule(source.path) &&
      !isTest(source.path) &&
      !importsOnly(source, /^(zod|yaml)$/),
    example: { path: "spec/stack.ts", text: 'import {\n  z,\n} from "zod";\nimport ajv from "ajv";\n' },
  },
  {
    name: "what is deployed loads no dependency of the processor",
    broken: (source) =>
      /^(components|programs|policies)\//.test(source.path) &&
      isModule(source.path) &&
      !isTest(source.path) &&
      !importsOnly(source, /^(@pulumi\/.+|@cais\/spec\/.+|zod|yaml)$/),
    example: { path: "programs/main.ts", text: 'import { startProcessor } from "@cais/processor/src/main.ts";\n' },
  },
  {
    name: "programs name no cloud",
    broken: ({ path, text }) =>
      /^programs\/.*\.ts$/.test(path) &&
      !isTest(path) &&
      /\b(openstack|swift|nova|magnum|keystone|aws|s3|eks|azure|aks|kubernetes|docker)\b/i.test(text),
    example: { path: "programs/platform.ts", text: 'if (target === "openstack") {}\n' },
  },
  {
    name: "no catch is empty",
    broken: ({ path, text }) =>
      isModule(path) &&
      !isTest(path) &&
      /catch\s*(\([^)]*\))?\s*\{\s*\}|\.catch\(\s*(async\s*)?\([^)]*\)\s*=>\s*(\{\s*\}|undefined|null)\s*\)/.test(
        withoutComments(text),
      ),
    example: { path: "cli/client.ts", text: "try {\n  stop();\n} catch {\n  // it does not matter\n}\n" },
  },
  {
    name: "a link in a page leads to a file",
    broken: ({ path, text }) =>
      path.endsWith(".md") &&
      [...text.matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)].some(
        ([, link = ""]) => !existsSync(join(root, dirname(path), link)),
      ),
    example: { path: "docs/plan.md", text: "See [the figures](no-such-page.md#cost).\n" },
  },
  {
    name: "the README has at most 150 lines",
    broken: ({ path, text }) => /^README.*\.md$/.test(path) && text.split("\n").length - 1 > 150,
    example: { path: "README.md", text: "\n".repeat(151) },
  },
];

describe.each(rules)("$name", ({ broken, example }) => {
  it("holds", () => {
    expect(sources.filter(broken).map(({ path }) => path)).toEqual([]);
  });

  it("would be noticed", () => {
    expect(broken(example)).toBe(true);
  });
});

interface Locked {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  link?: boolean;
  resolved?: string;
}

/** Where Node would find a package that the one at `path` asks for. */
function placeOf(name: string, path: string, packages: Record<string, Locked>): string | undefined {
  const parts = path.split("/node_modules/");
  const nested = parts.map((_, i) => `${parts.slice(0, parts.length - i).join("/node_modules/")}/node_modules/${name}`);
  return [...nested, `node_modules/${name}`].find((candidate) => packages[candidate]);
}

/** Every package that npm installs for a workspace, found in the lockfile as Node would find it. */
function installedFor(workspace: string): Set<string> {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, Locked>;
  };
  const found = new Set<string>();
  const visit = (path: string) => {
    if (found.has(path)) return;
    found.add(path);
    const { dependencies, optionalDependencies, link, resolved } = packages[path] ?? {};
    if (link && resolved) return visit(resolved);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const place = placeOf(name, path, packages);
      if (place) visit(place);
    }
  };
  visit(workspace);
  return found;
}

it("locks every optional package of every platform, or npm ci fails on a fresh clone", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, Locked>;
  };
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !placeOf(name, path, packages)),
  );
  expect(missing).toEqual([]);
});

describe("the processor's image", () => {
  const packages = installedFor("processor");

  it("installs what the processor needs", () => {
    expect(packages).toContain("node_modules/fastify");
    expect(packages).toContain("node_modules/@duckdb/node-bindings-linux-x64");
    expect(packages).toContain("spec");
  });

  it("holds no Pulumi", () => {
    expect([...packages].filter((path) => path.includes("@pulumi"))).toEqual([]);
    expect([...installedFor("")].filter((path) => path.includes("@pulumi/pulumi"))).not.toEqual([]);
  });
});
