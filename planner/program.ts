import { createRequire } from "node:module";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import packageJson from "../package.json" with { type: "json" };
import { type Child, startChild } from "./child.ts";
import { PlanError } from "./error.ts";
import { locateInText } from "./location.ts";
import { parallel } from "./monitor.ts";
import { missingConfig, type Project } from "./project.ts";

/** Starts the program as Pulumi's language host does, with our address for both monitor and engine. */
export function startProgram(project: Project, address: string, onLine: (line: string) => void): Child {
  const { name, stack, organization, root, folder, entry, config, secretKeys } = project;
  return startChild({
    script: createRequire(path.join(folder, "package.json")).resolve("@pulumi/pulumi/cmd/run"),
    nodeArguments: project.nodeArguments,
    arguments: [
      `--monitor=${address}`,
      `--engine=${address}`,
      `--organization=${organization}`,
      `--project=${name}`,
      `--stack=${stack}`,
      `--root-directory=${root}`,
      `--pwd=${folder}`,
      `--parallel=${parallel}`,
      "--dry-run",
      entry,
    ],
    folder,
    environment: {
      // The language host still writes a key as namespace:config:name.
      PULUMI_CONFIG: JSON.stringify(
        Object.fromEntries([...config].map(([key, value]) => [key.replace(":", ":config:"), value])),
      ),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(secretKeys),
    },
    onLine,
  });
}

/** The protocol changes with the SDK, so a plan is made with the very version that was tested, or not at all. */
export function requireSdk({ folder }: Project): void {
  const pinned = packageJson.dependencies["@pulumi/pulumi"];
  let version: string;
  try {
    ({ version } = createRequire(path.join(folder, "package.json"))("@pulumi/pulumi/package.json"));
  } catch (cause) {
    throw new PlanError("sdk-version", `the program in ${folder} finds no @pulumi/pulumi: run npm install`, { cause });
  }
  if (version !== pinned)
    throw new PlanError(
      "sdk-version",
      `the program uses @pulumi/pulumi ${version}, but plans are made with ${pinned} only: install that version`,
    );
}

/** What the SDK reported as an error, as one message with its place in the program and without the stack trace. */
export function programError(report: string, { root, stack }: Project): PlanError {
  const text = stripVTControlCharacters(report);
  const missing = /^Missing required configuration variable '([^']+)'[^]*config set (--secret )?/.exec(text);
  if (missing) return missingConfig(missing[1] ?? "", stack, missing[2] !== undefined);
  const body = text.replace(/^Running program '[^']*' failed with an unhandled exception:\s*/, "");
  return new PlanError("program-failed", `the program failed: ${messageOf(body)}`, {
    location: locateInText(body, root),
  });
}

/** The message of a printed error: what comes before its stack trace. A syntax error begins with its place and code. */
function messageOf(body: string): string {
  const lines = body.split("\n");
  const start = /^(file:|\/).*:\d+$/.test(lines[0] ?? "") ? lines.findIndex((line) => /^\w*Error\b/.test(line)) : 0;
  const rest = lines.slice(Math.max(start, 0));
  const end = rest.findIndex((line) => /^\s+at /.test(line));
  return rest
    .slice(0, end === -1 ? undefined : end)
    .join("\n")
    .trim()
    .replace(/^(Uncaught )?Error: /, "");
}
