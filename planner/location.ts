import path from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import type sourcepb from "@pulumi/pulumi/proto/source_pb.js";
import type { Location } from "./error.ts";

/** Where in the program a resource was asked for. */
export function locate(trace: sourcepb.StackTrace | undefined, root: string): Location | undefined {
  for (const frame of trace?.getFramesList() ?? []) {
    const position = frame.getPc();
    // The SDK makes a URL of what is one already: file:///folder/file:/folder/programs/main.ts.
    const url = position?.getUri().replace(/^.*\bfile:\/+/, "file:///");
    const location = url && place(url, position?.getLine() ?? 0, root);
    if (location) return location;
  }
  return undefined;
}

/** The first place of a printed stack trace, or of a syntax error, that is in the project's own code. */
export function locateInText(text: string, root: string): Location | undefined {
  for (const [, file, line] of stripVTControlCharacters(text).matchAll(
    /((?:file:\/\/)?\/[^\s()]+?):(\d+)(?::\d+)?(?=[\s)]|$)/g,
  )) {
    const location = place(file ?? "", Number(line), root);
    if (location) return location;
  }
  return undefined;
}

function place(fileOrUrl: string, line: number, root: string): Location | undefined {
  const file = fileOrUrl.startsWith("file:") ? fileURLToPath(fileOrUrl) : fileOrUrl;
  const relative = path.relative(root, file);
  if (relative.startsWith("..") || relative.split(path.sep).includes("node_modules")) return undefined;
  return { file: relative, line };
}
