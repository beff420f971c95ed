import { createRequire } from "node:module";

// Runs in the program's process.

interface MapsSdk {
  install: () => void;
}
interface LogSdk {
  debug: (message: string) => Promise<void>;
}
interface PromiseSdk {
  debuggablePromise: <Result>(promise: Promise<Result>, context: unknown) => Promise<Result>;
}

/** Leaves out what the SDK does for each resource, or more often, that no plan shows: it was much of a program's time. */
export function leaveOutUnneeded(require: NodeJS.Require): void {
  // Node runs TypeScript where it stands, so there is nothing to map a stack trace to.
  const maps: MapsSdk = createRequire(require.resolve("@pulumi/pulumi"))("source-map-support");
  maps.install = () => undefined;

  // Six calls to the engine for a resource, which drops what they say.
  const log: LogSdk = require("@pulumi/pulumi/log");
  log.debug = () => Promise.resolve();

  // What is pending at the end is told by its context; its stack trace only to who debugs the SDK itself.
  const promises: PromiseSdk = require("@pulumi/pulumi/runtime/debuggable");
  const follow = promises.debuggablePromise;
  promises.debuggablePromise = (promise, context) => {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    try {
      return follow(promise, context);
    } finally {
      Error.stackTraceLimit = limit;
    }
  };
}
