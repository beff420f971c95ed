import { expect, it } from "vitest";
import type { TakenRun } from "../index.ts";
import { claimOf, fileOf, type Subject } from "./subject.ts";

/** Thrown in place of the next call. */
class Killed extends Error {}

/** A file's way through the ledger, cut off after each call once, and gone again from its beginning. */
export function crashConforms(subject: Subject): void {
  const object = { stack: "inmet", role: "input", key: "a" } as const;
  const correction = { key: "corrections/1.csv", sha256: "c", bytes: 5 };
  let calls = 0;
  let last = 0;

  async function call<T>(work: () => Promise<T>): Promise<T> {
    if (calls++ === last) throw new Killed();
    return work();
  }

  async function whole(): Promise<void> {
    const { ledger } = subject;
    // As a start does: what is loose is swept.
    for (const loose of await ledger.loose.all()) await ledger.loose.forget(loose);
    if (!(await ledger.isClaimed(claimOf("a")))) await call(() => ledger.loose.note(object));
    const { run } = await call(() => ledger.claim(claimOf("a")));
    await untilEmpty();
    const of = { run: run.id, kind: "replay", correction, idempotencyKey: "k" } as const;
    await call(() => ledger.requeue(of));
    await untilEmpty();
    await call(() => ledger.moved(run.id, "archive/a"));
    await call(() => ledger.loose.forget({ ...object, version: "1" }));
  }

  async function untilEmpty(): Promise<void> {
    for (;;) {
      const [run] = await call(() => subject.next());
      if (run === undefined) return;
      await attempt(run);
    }
  }

  async function attempt(run: TakenRun): Promise<void> {
    const { ledger } = subject;
    const { id, attempts, committed } = run;
    if (!committed) {
      const rejectedKey = `rejected-rows/${id}-${attempts}.parquet`;
      const key = `rain/${id}-${attempts}`;
      for (const noted of [rejectedKey, key])
        await call(() => ledger.loose.note({ stack: "inmet", role: "lake", key: noted }));
      await call(() => ledger.startStep(id, "contract"));
      const rejected = run.kind === "load" ? 3 : 1;
      const counted = { rejectedKey, header: ["day"], found: { format: "csv" } };
      await call(() => ledger.countRows(id, { read: 10, clean: 10 - rejected, rejected }, counted));
      await call(() => ledger.finishStep(id, "contract"));
      const changes = [await subject.change("rain", id, { adds: [fileOf(key, id, 10 - rejected)] })];
      await call(() => ledger.commit({ stack: "inmet", runs: [id], changes }));
    }
    await call(() => ledger.addOutput(id, { kind: "csv", name: "rain", location: "/out", rows: 1, bytes: 1 }));
    await call(() => ledger.finish(id, { state: "done" }));
  }

  /** What is to be the same, whenever the crash was. */
  async function result() {
    const { ledger } = subject;
    const runs = await ledger.runs({ limit: 99 });
    const root = runs.at(-1)?.id ?? "";
    const table = await ledger.tables.read("inmet", "rain");
    return {
      runs: runs.map(({ kind, state, rows, open, error, outputs, steps }) => ({
        kind,
        state,
        rows,
        open,
        error,
        outputs: outputs.map(({ location, rows }) => ({ location, rows })),
        steps: steps.map(({ name }) => name),
      })),
      rows: table?.files.map(({ rows, parts }) => [rows, parts[0]?.root === root]),
      corrections: await ledger.corrections(root),
      source: await ledger.source(root),
      // What cut-off attempts left in the lake waits for the next sweep.
      loose: (await ledger.loose.all()).filter(({ role }) => role === "input"),
    };
  }

  it("comes to the same end wherever it crashes", async () => {
    last = Number.POSITIVE_INFINITY;
    await whole();
    const undisturbed = await result();
    expect(undisturbed).toMatchObject({
      runs: [
        { kind: "replay", state: "done", open: { scope: "rows", rows: 1 } },
        { kind: "load", state: "done" },
      ],
      rows: [
        [7, true],
        [9, true],
      ],
      loose: [],
    });
    const total = calls;
    expect(total).toBeGreaterThan(20);
    for (let at = 0; at < total; at++) {
      await subject.renew();
      [calls, last] = [0, at];
      await expect(whole()).rejects.toThrow(Killed);
      await subject.crash();
      last = Number.POSITIVE_INFINITY;
      await whole();
      expect({ at, ...(await result()) }).toEqual({ at, ...undisturbed });
    }
  });
}
