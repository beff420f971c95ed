import { existsSync } from "node:fs";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { Exit } from "./child.ts";
import { type Location, PlanError } from "./error.ts";
import { locateInText } from "./location.ts";
import { missingModule } from "./missing-module.ts";
import type { Place } from "./program-places.ts";
import { missingConfig, type Project } from "./project.ts";
import { secretMark } from "./value.ts";

/**
 * What a child of Pulumi's, at work in `folder`, printed of an error: the message alone and its place in the project
 * `root`, with no stack trace, no colours, no frame of the SDK.
 */
export function readReport(
  report: string,
  { root, folder }: { root: string; folder: string },
): { message: string; location: Location | undefined } {
  const text = stripVTControlCharacters(report)
    .replace(/^(error: )?(\[runtime\] )?/, "")
    .replace(/^Running program '[^']*' failed with an unhandled exception:\s*/, "");
  // An error may name a file of the user's itself, relative to the folder that the program works in, or to the project.
  let named: Location | undefined;
  const places = /^([ \t]*)([\w./-]+\.\w+):(\d+)(?=:)/gm;
  const message = messageOf(text).replace(places, (whole, indent: string, name: string, line: string) => {
    const file = [folder, root]
      .map((base) => path.relative(root, path.resolve(base, name)))
      .find((candidate) => !candidate.startsWith("..") && existsSync(path.join(root, candidate)));
    if (file === undefined) return whole;
    named ??= { file, line: Number(line) };
    return `${indent}${file}:${line}`;
  });
  return { message, location: named ?? locateInText(text, root) };
}

/** The error that the SDK reported of the program. */
export function programError(report: string, project: Project): PlanError {
  const { stack } = project;
  const { message, location } = readReport(report, project);
  const unfound = missingModule(message, project.root);
  if (unfound)
    return new PlanError("program-failed", `the program failed: ${unfound.message}`, { location: unfound.location });
  const missing = /^Missing required configuration variable '([^']+)'[^]*config set (--secret )?/.exec(message);
  if (missing) return missingConfig(missing[1] ?? "", stack, missing[2] !== undefined, location);
  const parsed = /^Configuration '([^']+)' value '([^]*)' is not a valid (.+)$/.exec(message);
  if (parsed?.[2] === secretMark)
    return new PlanError(
      "config-secret",
      `the program reads the secret ${parsed[1]} as a ${parsed[3]}, but a plan decrypts nothing; set its secret parts alone: \`pulumi config set --secret --path '${parsed[1]}.<part>' <value> --stack ${stack}\``,
      { location },
    );
  return new PlanError("program-failed", `the program failed: ${message}`, { location });
}

/** The same error with its place, if it is of a data source that the program asks for in one place alone. */
export function placed(error: PlanError, places: Place[], root: string): PlanError {
  const { code, message, urn, cause } = error;
  if (code !== "invoke-unanswered" || error.location) return error;
  const asked = places.filter(({ of }) => message.startsWith(`the data source ${of}(`));
  const [location, ...others] = new Map(
    asked.flatMap(({ stack }) => {
      const place = locateInText(stack, root);
      return place ? [[`${place.file}:${place.line}`, place] as const] : [];
    }),
  ).values();
  return others.length === 0 ? new PlanError(code, message, { location, urn, cause }) : error;
}

/** The error of a program that ended without saying that it was done, by what it wrote and what still waited then. */
export function earlyEnd({ code, signal }: Exit, lines: string[], places: Place[], root: string): PlanError {
  const start = lines.findIndex((line) => line.startsWith("The Pulumi runtime detected"));
  const pending = start === -1 ? [] : lines.slice(start).filter((line) => /^ {2}\* .* was waiting for /.test(line));
  if (pending.length > 0) {
    const told = pending.map((line) => {
      const text = line.replace("  * ", "");
      const resource = places.find((candidate) => text.startsWith(candidate.of));
      return { text, location: resource && locateInText(resource.stack, root) };
    });
    const sentences = told.map(({ text, location }) =>
      location ? `${text} (${location.file}:${location.line})` : text,
    );
    return new PlanError(
      "program-died",
      `the program ended before all was registered; is there a cycle, or a promise that never resolves? ${sentences.join("; ")}`,
      { location: told[0]?.location },
    );
  }
  const last = lines.slice(0, start === -1 ? undefined : start).findLast((line) => line.trim() !== "");
  const hint = last === undefined ? "" : `; the last that it wrote: ${last.trim()}`;
  if (signal) return new PlanError("program-died", `the program was ended by ${signal} before it was done${hint}`);
  // The SDK makes 0 a 1, or leaves it, by how far it had come.
  const status = code !== null && code > 1 ? ` with exit code ${code}` : "";
  return new PlanError(
    "program-died",
    `the program ended${status} before it was done; does it call process.exit?${hint}`,
  );
}

// The names of JavaScript's own errors tell something; "Error" and the names of a program's classes do not.
const ownNames = new Set(["TypeError", "RangeError", "ReferenceError", "SyntaxError", "URIError"]);

// Any word may be the name of a class where a stack trace follows; elsewhere a sentence may begin with it. Node writes
// `<ref *1>` before an error that refers to itself, as the SDK's do.
const classOfError = /^(?:Uncaught )?(\w*Error)(?: \[\w+\])?: /;
const classOfTraced = /^(?:Uncaught )?(?:<ref \*\d+> )?(\w+)(?: \[\w+\])?: /;

/**
 * The text before the stack trace, without what the SDK puts before a program's sentence. A syntax error begins with its
 * place and a line of code instead.
 */
function messageOf(text: string): string {
  const lines = text.trim().split("\n");
  const start = /^(file:|\/).*:\d+$/.test(lines[0] ?? "") ? lines.findIndex((line) => /^\w*Error\b/.test(line)) : 0;
  const rest = lines.slice(Math.max(start, 0));
  const end = rest.findIndex((line) => /^\s+at /.test(line));
  return (
    rest
      .slice(0, end === -1 ? undefined : end)
      .join("\n")
      // What follows is Node's advice for another kind of module.
      .replace(/\nCommonJS modules can always be imported[^]*$/, "")
      .trim()
      .replace(end === -1 ? classOfError : classOfTraced, (_, name: string) => (ownNames.has(name) ? `${name}: ` : ""))
      .replaceAll(/\berror serializing property "[^"\n]*": /g, "")
  );
}
