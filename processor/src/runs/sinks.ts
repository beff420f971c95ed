import { join } from "node:path";
import type { PresentPart, TakenRun } from "../ledger/index.ts";
import type { Sender } from "../sinks/sender.ts";
import type { Session } from "./attempt.ts";
import { seeOwn, seeWhole, tableOf } from "./drafts.ts";
import { keptParts } from "./present.ts";

/**
 * Offers each sink of rows what these runs have for it: whole tables once for all of them, and what a run added for each.
 * Of a table that is replaced, no row is one run's.
 */
export async function deliver(
  session: Session,
  runs: TakenRun[],
  { sender, signal }: { sender: Pick<Sender, "offer">; signal: AbortSignal },
): Promise<void> {
  const { stack, engine } = session;
  for (const sink of stack.sinks) {
    const { delivers } = sink;
    if (!("table" in delivers)) continue;
    const { table, writes } = delivers;
    const ofEach = delivers.of === "run" && tableOf(session, table).disposition !== "replace";
    await session.step(runs, `sinks/${sink.kind}/${sink.name}`, async () => {
      for (const together of ofEach ? runs.map((run) => [run]) : [runs]) {
        const [first, ...others] = together;
        if (first === undefined) continue;
        const isThere = ofEach ? await seeRows(session, table, first) : await seeWhole(session, table);
        if (!isThere) continue;
        const file = join(session.folder, `${sink.id}-${first.id}.${writes.as}`);
        const written = await engine.write({ table, file, writes });
        await sender.offer({ stack, sink, runs: [first.id, ...others.map(({ id }) => id)], written, signal });
      }
    });
  }
}

/** Makes the rows visible that a run brought to an appended or merged table; false if there is no such table yet. */
async function seeRows(session: Session, name: string, run: TakenRun): Promise<boolean> {
  const { made, tables, engine, ledger, seen, stack } = session;
  const own = made.find((one) => one.run.id === run.id);
  if (own !== undefined) {
    await seeOwn(session, name, own);
    return true;
  }
  // Its tables were made by an attempt before.
  const state = await tables.state(name);
  if (state === undefined) return false;
  const isOwn = (part: PresentPart) => part.run === run.id;
  const files =
    tableOf(session, name).disposition === "append"
      ? await tables.see(keptParts(state.files, isOwn))
      : await Promise.all(
          (await ledger.tables.contributions(stack.config.stack.name, name))
            .filter((contribution) => contribution.run === run.id)
            .map(async (contribution) => ({ file: await tables.bring(contribution) })),
        );
  await engine.attachTable(name, files, state.columns);
  seen.set(name, `own ${run.id}`);
  return true;
}
