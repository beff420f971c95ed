import { createHash } from "node:crypto";
import { join } from "node:path";
import { replacesRows } from "@cais/spec/bi-rules.ts";
import type { SinkOptions } from "@cais/spec/sinks.ts";
import type { Table } from "@cais/spec/stack.ts";
import { z } from "zod";
import type { Addresses } from "../address.ts";
import { DeliveryDelayed } from "../faults.ts";
import type { SinkPart, Turn } from "../index.ts";
import { checkRows } from "./check.ts";
import { type Limiter, openLimiter } from "./limiter.ts";
import * as powerBi from "./power-bi.ts";
import { pushRows } from "./push.ts";

/** Power BI may be away for hours, and takes eight refreshes a day: in seconds, 27 hours in all. */
const retrySeconds = [5, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 36_000];

export interface BiOutside {
  /** The disposition of the table that is pushed. */
  disposition: Table["disposition"] | undefined;
  addresses: Addresses;
  /** What was sent to each dataset is counted in here. */
  folder: string;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** An application's credential, and a token for it. */
interface Opened {
  credential: powerBi.Credential;
  token: string;
}

/** How far a push is. `doubtful`: a POST was sent of which it is not known whether it was taken. */
const Progress = z.object({ row: z.number(), doubtful: z.boolean().default(false) });
type Progress = z.output<typeof Progress>;

/**
 * A table of a push dataset of Power BI, whose limits are kept; or the refresh of a dataset that reads the lake; or both, the
 * refresh after the push.
 */
export function biSink(options: SinkOptions<"bi">, outside: BiOutside): SinkPart {
  const { table, url, refresh } = options;
  const { folder, now = Date.now } = outside;
  const replaces = replacesRows(options.replace, outside.disposition);
  const limiterOf = (dataset: string) => sharedLimiter(join(folder, `${hash(dataset)}.json`), now);

  const part = { direct: false, retrySeconds };
  if (table === undefined || url === undefined)
    return {
      ...part,
      name: refresh?.dataset ?? "refresh",
      delivers: { endings: ["done"] },
      canDouble: "a refresh whose answer was lost is asked for again",
      async deliver(payload, turn) {
        if (!("event" in payload)) throw new Error("A refresh is given a run's end.");
        return refreshAfter(turn, Date.parse(payload.event.finishedAt ?? ""));
      },
    };

  return {
    ...part,
    name: table,
    delivers: { table, of: replaces ? "table" : "run", writes: { as: "ndjson", form: "objects" } },
    canDouble: replaces
      ? "a POST that Power BI takes after its answer was given up stays beside the rows that are then pushed anew"
      : "a POST whose answer was lost is sent again, so that its rows, 10,000 at most, may be there twice",
    async deliver(payload, turn) {
      if (!("file" in payload)) throw new Error("Power BI is given rows.");
      const { target, caller, opened } = await openTarget(url.secret, turn);
      const token = opened?.token;
      const limiter = await limiterOf(target.dataset);
      let progress = turn.progress == null ? undefined : Progress.parse(turn.progress);
      const stored = () => ({ rows: replaces ? 0 : limiter.rowsIn(target.table), known: limiter.file });
      if (progress === undefined) await checkRows(table, payload.file, stored());
      if (replaces && (progress === undefined || progress.doubtful)) {
        await empty(caller, target, token, limiter);
        progress = { row: 0, doubtful: false };
        await turn.save(progress);
      }
      const from = progress?.row ?? 0;
      await pushRows(payload.file, from, {
        post: (rows) => limiter.post(target.table, rows.length, () => powerBi.postRows(caller, target, rows, token)),
        pause: (seconds) => limiter.pause(seconds),
        // A POST that is sent twice is mended only where the table can be emptied.
        sending: async (row) => (replaces ? turn.save({ row, doubtful: true } satisfies Progress) : undefined),
        sent: (row) => turn.save({ row, doubtful: false } satisfies Progress),
      });
      if (refresh !== undefined) await refreshAfter(turn, now(), opened);
      return { location: `the dataset in the secret ${url.secret}` };
    },
  };

  async function openTarget(name: string, turn: Turn) {
    const target = powerBi.readTarget(await turn.secret(name), `The secret "${name}"`);
    const caller = { addresses: outside.addresses, signal: turn.signal };
    const opened = target.hasKey && !replaces ? undefined : await open(turn);
    return { target, caller, opened };
  }

  /** The application's credential and a token for it; undefined if the stack names none. */
  async function open(turn: Turn): Promise<Opened | undefined> {
    if (options.token === undefined) return undefined;
    const { secret: name } = options.token;
    const credential = powerBi.readCredential(await turn.secret(name), `The secret "${name}"`);
    const caller = { addresses: outside.addresses, signal: turn.signal };
    return { credential, token: await powerBi.getToken(caller, credential) };
  }

  /** Refreshes the dataset, unless a refresh began since `at`: that one has read what was there then. */
  async function refreshAfter(turn: Turn, at: number, before?: Opened): Promise<{ location: string }> {
    const location = `dataset ${refresh?.dataset}`;
    const limiter = await limiterOf(`refresh ${refresh?.dataset}`);
    if ((limiter.refreshedAt() ?? -Infinity) > at) return { location };
    const opened = before ?? (await open(turn));
    if (refresh === undefined || opened === undefined)
      throw new Error("A refresh needs a dataset and a token; validate the stack.");
    const began = now();
    const caller = { addresses: outside.addresses, signal: turn.signal };
    const answer = await powerBi.refreshDataset(caller, opened.credential, refresh, opened.token);
    if (answer.status === 400)
      throw new DeliveryDelayed(
        "Power BI takes no refresh now: one goes on, or those of the day are used up (eight on shared capacity).",
      );
    if (answer.status !== 202 && answer.status !== 200) throw powerBi.faultOf(answer);
    await limiter.refreshed(began);
    return { location };
  }
}

async function empty(
  caller: powerBi.Caller,
  target: powerBi.Target,
  token: string | undefined,
  limiter: Limiter,
): Promise<void> {
  const answer = await powerBi.deleteRows(caller, target, token);
  if (answer.status !== 200) throw powerBi.faultOf(answer);
  await limiter.emptied(target.table);
}

/** By file: all sinks of a processor that push to one dataset share its limits. */
const limiters = new Map<string, Promise<Limiter>>();

function sharedLimiter(file: string, now: () => number): Promise<Limiter> {
  const known = limiters.get(file);
  if (known !== undefined) return known;
  const opening = openLimiter(file, now);
  limiters.set(file, opening);
  // One that cannot be opened is tried again.
  opening.catch(() => limiters.delete(file));
  return opening;
}

const hash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 32);
