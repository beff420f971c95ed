import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Location } from "./error.ts";

/** What Node says of an import that leads nowhere, told with the line of the import; undefined for another message. */
export function missingModule(
  message: string,
  root: string,
): { message: string; location: Location | undefined } | undefined {
  const [, kind, wanted = "", importer = ""] =
    /^Cannot find (module|package) '([^']+)' imported from (.+)$/m.exec(message) ?? [];
  if (kind === undefined) return undefined;
  const within = (file: string) => {
    const relative = path.relative(root, file);
    return path.isAbsolute(file) && !relative.startsWith("..") ? relative : file;
  };
  const file = importer.startsWith("file:") ? fileURLToPath(importer) : importer;
  const isOwn = within(file) !== file && !within(file).split(path.sep).includes("node_modules");
  const advice = kind === "package" ? "add it to package.json and run npm install" : "correct the path";
  return {
    message: `cannot find the ${kind} ${within(wanted)} that ${within(file)} imports; ${advice}`,
    location: isOwn ? importLine(file, kind === "package" ? wanted : path.basename(wanted), within(file)) : undefined,
  };
}

/** The first line of a file with this among the steps of a text in quotes, as an import has it. */
function importLine(file: string, wanted: string, shown: string): Location | undefined {
  if (!existsSync(file)) return undefined;
  const line = readFileSync(file, "utf8")
    .split("\n")
    .findIndex((text) =>
      [...text.matchAll(/(["'])(.*?)\1/g)].some(([, , quoted]) => `/${quoted}/`.includes(`/${wanted}/`)),
    );
  return line === -1 ? undefined : { file: shown, line: line + 1 };
}
