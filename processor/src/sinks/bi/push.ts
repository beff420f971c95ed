import { DeliveryDelayed, DeliveryRefused } from "../faults.ts";
import { openNdjson } from "../ndjson/index.ts";
import type { Answer } from "../request.ts";
import { limits } from "./limiter.ts";
import { faultOf, pauseOf } from "./power-bi.ts";

/** A body is kept smaller than this, in characters: Power BI refuses large ones with 413, and says nowhere which. */
const BODY_CHARACTERS = 4_000_000;

/** What a push is done with. */
export interface Push {
  post(rows: string[]): Promise<Answer>;
  pause(seconds: number): Promise<void>;
  /** The rows before `row` are there, and a POST of more is about to be sent. */
  sending(row: number): Promise<void>;
  /** The rows before `row` are there. */
  sent(row: number): Promise<void>;
}

/** Pushes the rows of a file from the row `from` (counted from 0) on, as many at a time as Power BI takes. */
export async function pushRows(file: string, from: number, push: Push): Promise<void> {
  const { lines } = await openNdjson(file);
  let row = 0;
  let batch: string[] = [];
  let characters = 0;
  const flush = async () => {
    await pushBatch(batch, row - batch.length, push);
    batch = [];
    characters = 0;
  };
  for await (const line of lines) {
    if (row >= from) {
      if (batch.length === limits.rowsAPost || (batch.length > 0 && characters + line.length > BODY_CHARACTERS))
        await flush();
      batch.push(line);
      characters += line.length + 1;
    }
    row += 1;
  }
  if (batch.length > 0) await flush();
}

async function pushBatch(rows: string[], first: number, push: Push): Promise<void> {
  await push.sending(first);
  const answer = await push.post(rows).catch(async (error: unknown) => {
    // Too early, so nothing was sent.
    if (error instanceof DeliveryDelayed && !error.counts) await push.sent(first);
    throw error;
  });
  if (answer.status === 200) return push.sent(first + rows.length);
  // What failed there may have been taken all the same.
  if (answer.status < 500) await push.sent(first);
  if (answer.status === 413 && rows.length > 1) {
    const half = Math.ceil(rows.length / 2);
    await pushBatch(rows.slice(0, half), first, push);
    return pushBatch(rows.slice(half), first + half, push);
  }
  if (answer.status === 413) throw new DeliveryRefused(`Row ${first + 1} has more bytes than Power BI takes.`);
  if (answer.status !== 429) throw faultOf(answer);
  const seconds = pauseOf(answer);
  await push.pause(seconds);
  // Others push to the dataset, too: it only waits its turn.
  throw new DeliveryDelayed(`Power BI asks to wait ${seconds} seconds (429).`, {
    afterSeconds: seconds,
    counts: false,
  });
}
