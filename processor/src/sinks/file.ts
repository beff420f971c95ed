import { type ObjectStore, StoreFull, StoreUnreachable } from "../object-store/index.ts";
import { DeliveryDelayed } from "./faults.ts";
import type { Payload, SinkPart } from "./index.ts";
import type { Writes } from "./writes.ts";

/** A disk may be full for hours, and a store out of reach: in seconds, 12 hours in all. */
const retrySeconds = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 14_400];

/** A sink that is an object in the stack's output store: the whole table, replaced each time, or one of each run. */
export function fileSink(
  { table, to, per }: { table: string; to: string; per: "table" | "run" },
  writes: Writes,
  output: ObjectStore,
): SinkPart {
  return {
    name: table,
    delivers: { table, of: per, writes },
    direct: true,
    // A put shows the old object or the new one whole, and the same one again changes nothing.
    canDouble: null,
    retrySeconds,
    async deliver(payload: Payload, { run }) {
      if (!("file" in payload)) throw new Error("A sink of files is given a file.");
      const key = per === "run" ? runKey(to, run) : to;
      const location = output.location(key);
      try {
        await output.putFile(key, payload.file);
      } catch (error) {
        // A store that is far or full says itself what to do.
        if (error instanceof StoreUnreachable || error instanceof StoreFull)
          throw new DeliveryDelayed(`${location} cannot be written: ${error.message}`, { cause: error });
        const code = codeOf(error);
        throw new DeliveryDelayed(
          `${location} cannot be written${code === undefined ? "" : ` (${code})`}; is its disk full, or something else in its place?`,
          { cause: error },
        );
      }
      return { location };
    },
  };
}

/** `out/x.csv` becomes `out/x-<run>.csv`. */
export function runKey(to: string, run: string): string {
  const [, stem = to, ending = ""] = /^(.*[^/])(\.[^./]+)$/s.exec(to) ?? [];
  return `${stem}-${run}${ending}`;
}

/** What the system calls an error or what caused it, such as ENOSPC. */
function codeOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ("code" in cause && typeof cause.code === "string") return cause.code;
  return undefined;
}
