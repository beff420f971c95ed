import { inspect } from "node:util";
import type * as pulumi from "@pulumi/pulumi";

// Runs in the program's process. The SDK knows where a program asks for something, or fails, and does not always say so.

/** The parts of the SDK that this touches. */
export interface ResourceSdk {
  Resource: { framePositionRegExp: RegExp };
}
export interface RegistrationSdk {
  registerResource: (...args: [pulumi.Resource, unknown, string, string, ...unknown[]]) => void;
}

export interface InvocationSdk {
  invoke: (token: string, ...rest: unknown[]) => unknown;
  invokeOutput: (token: string, ...rest: unknown[]) => unknown;
}

/** Where a program does something that the engine is not told the place of. */
export interface Place {
  /** A resource that still waits when the program ends, as the SDK names it; or the token of a data source. */
  of: string;
  /** The stack trace. */
  stack: string;
}

/**
 * Makes places known: of resources that code outside functions asks for, of errors of the config, and, at the program's
 * end, of resources that still wait for something; of data sources.
 */
export function showPlaces(
  { Resource }: ResourceSdk,
  registration: RegistrationSdk,
  invocation: InvocationSdk,
  tell: (place: Place) => void,
): void {
  // The SDK's own takes `at name (file:1:2)` alone; code outside functions is `at file:1:2`.
  Resource.framePositionRegExp =
    /^\s*at (?:async )?(?:.* \()?(?<file>(?:file:)?\/.*|[A-Za-z]:\\.*):(?<line>\d+):(?<column>\d+)\)?$/;

  const register = registration.registerResource;
  // A trace is made a text when it is asked for, and nearly none is.
  const waiting = new Map<pulumi.Resource, { of: string; trace: Error }>();
  registration.registerResource = (...args) => {
    const [resource, , type, name] = args;
    waiting.set(resource, { of: `"${name}" [${type}]`, trace: traceHere() });
    register(...args);
    const answered = () => void waiting.delete(resource);
    resource.urn.apply(answered);
  };
  for (const form of ["invoke", "invokeOutput"] as const) {
    const invoke = invocation[form];
    invocation[form] = (token, ...rest) => {
      tell({ of: token, stack: traceHere().stack ?? "" });
      return invoke(token, ...rest);
    };
  }
  process.on("exit", () => waiting.forEach(({ of, trace }) => tell({ of, stack: trace.stack ?? "" })));
  process.on("unhandledRejection", improve);
}

function traceHere(): Error {
  const limit = Error.stackTraceLimit;
  // Far enough to be out of the SDK, the provider's classes and a component or two.
  Error.stackTraceLimit = 30;
  const trace = new Error();
  Error.stackTraceLimit = limit;
  return trace;
}

/**
 * Before the SDK tells the engine of an error: gives one of the config its place, and makes an error of what is none, on
 * which the SDK itself would fail.
 */
function improve(reason: unknown): void {
  if (typeof reason === "string") return;
  if (!(reason instanceof Error)) throw new Error(`what was thrown is no Error but ${inspect(reason)}`);
  if (!/^(Missing required configuration variable '|Configuration ')/.test(reason.message)) return;
  const frames = /^ +at .*/ms.exec(reason.stack ?? "");
  if (frames) reason.message += `\n${frames[0]}`;
}
