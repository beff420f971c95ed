import { stripVTControlCharacters } from "node:util";
import { type Location, PlanError } from "./error.ts";
import { locateInText } from "./location.ts";
import { missingConfig, type Project } from "./project.ts";
import { secretMark } from "./value.ts";

/**
 * What a child of Pulumi's printed of an error, as the message alone and its place in the folder `root`: no stack
 * trace, no colours, no frame of the SDK.
 */
export function readReport(report: string, root: string): { message: string; location: Location | undefined } {
  const text = stripVTControlCharacters(report)
    .replace(/^(error: )?(\[runtime\] )?/, "")
    .replace(/^Running program '[^']*' failed with an unhandled exception:\s*/, "");
  return { message: messageOf(text), location: locateInText(text, root) };
}

/** The error that the SDK reported of the program. */
export function programError(report: string, { root, stack }: Project): PlanError {
  const { message, location } = readReport(report, root);
  const missing = /^Missing required configuration variable '([^']+)'[^]*config set (--secret )?/.exec(message);
  if (missing) return missingConfig(missing[1] ?? "", stack, missing[2] !== undefined);
  const parsed = /^Configuration '([^']+)' value '([^]*)' is not a valid (.+)$/.exec(message);
  if (parsed?.[2] === secretMark)
    return new PlanError(
      "config-secret",
      `the program reads the secret ${parsed[1]} as a ${parsed[3]}, but a plan decrypts nothing; set its secret parts alone: \`pulumi config set --secret --path '${parsed[1]}.<part>' <value> --stack ${stack}\``,
    );
  return new PlanError("program-failed", `the program failed: ${message}`, { location });
}

/** The text before the stack trace. A syntax error begins with its place and a line of code instead. */
function messageOf(text: string): string {
  const lines = text.trim().split("\n");
  const start = /^(file:|\/).*:\d+$/.test(lines[0] ?? "") ? lines.findIndex((line) => /^\w*Error\b/.test(line)) : 0;
  const rest = lines.slice(Math.max(start, 0));
  const end = rest.findIndex((line) => /^\s+at /.test(line));
  return rest
    .slice(0, end === -1 ? undefined : end)
    .join("\n")
    .trim()
    .replace(/^(Uncaught )?Error: /, "");
}
