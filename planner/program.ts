import { createRequire } from "node:module";
import path from "node:path";
import { z } from "zod";
import packageJson from "../package.json" with { type: "json" };
import { type Child, startChild } from "./child.ts";
import { PlanError } from "./error.ts";
import { parallel } from "./monitor.ts";
import type { Place } from "./program-places.ts";
import type { Project } from "./project.ts";

interface Told {
  onLine: (line: string) => void;
  onSecret: (text: string) => void;
  onPlace: (place: Place) => void;
}

/** Starts the program as Pulumi's language host does, with our address for both monitor and engine. */
export function startProgram(project: Project, address: string, { onLine, onSecret, onPlace }: Told): Child {
  const { name, stack, organization, root, folder, entry, config, secretKeys } = project;
  return startChild({
    script: createRequire(path.join(folder, "package.json")).resolve("@pulumi/pulumi/cmd/run"),
    // In MB. A program makes much that it needs for a moment: collecting it in Node's small spaces was a fifth of its time.
    nodeArguments: [
      "--max-semi-space-size=32",
      // Before ours, which loads the SDK: a program's own may change how that is loaded.
      ...project.nodeArguments,
      `--import=${import.meta.resolve("./preload.ts")}`,
    ],
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
      CAIS_SECRETS_PIPE: "3",
    },
    onLine,
    onPipeLine: (line) => {
      const told = readPipe(line);
      if (typeof told === "string") onSecret(told);
      else if (told) onPlace(told);
    },
  });
}

const PipeLine = z.union([z.string(), z.object({ of: z.string(), stack: z.string() })]);

/** A line of preload.ts. One that is cut off was not out when the program was ended, nor was its text. */
function readPipe(line: string): string | Place | undefined {
  try {
    return PipeLine.parse(JSON.parse(line));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
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
