import { writeSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { liftOutputs, type OutputSdk, type ReferenceSdk } from "./lifted-outputs.ts";
import { type InvocationSdk, type RegistrationSdk, type ResourceSdk, showPlaces } from "./program-places.ts";
import { leaveOutUnneeded } from "./unneeded.ts";

// Runs in the program's process, before the program. What the program marks as secret need not reach the engine: the SDK
// takes the mark off the arguments of a data source, and a program can fail before it gives a secret to a resource. So
// each text is told through a pipe of its own, at once: the program may end in the very same tick.
const variable = "CAIS_SECRETS_PIPE";
const pipe = Number(process.env[variable]);
// Not for the program to see, nor for what it starts, where the number stands for something else.
delete process.env[variable];

function tell(value: unknown, seen = new Set<unknown>()): void {
  if (typeof value === "string") writeSync(pipe, `${JSON.stringify(value)}\n`);
  else if (typeof value === "object" && value !== null && isPlain(value) && !seen.has(value)) {
    seen.add(value);
    for (const item of Object.values(value)) tell(item, seen);
  }
}

const isPlain = (value: object): boolean =>
  [Array.prototype, Object.prototype, null].includes(Object.getPrototypeOf(value));

if (pipe > 0) {
  const require = createRequire(path.join(process.cwd(), "package.json"));
  leaveOutUnneeded(require);
  const output: OutputSdk = require("@pulumi/pulumi/output");
  const reference: ReferenceSdk = require("@pulumi/pulumi/stackReference");
  liftOutputs(reference, { ...output });
  const resource: ResourceSdk = require("@pulumi/pulumi/resource");
  const registration: RegistrationSdk = require("@pulumi/pulumi/runtime/resource");
  const invocation: InvocationSdk = require("@pulumi/pulumi/runtime/invoke");
  showPlaces(resource, registration, invocation, (place) => writeSync(pipe, `${JSON.stringify(place)}\n`));
  const mark = output.secret;
  output.secret = (value) => {
    tell(value);
    const marked = mark(value);
    // What is a promise, or has one in it, is known later.
    marked.apply((known) => tell(known));
    return marked;
  };
}
