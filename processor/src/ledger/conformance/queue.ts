import { describe, expect, it } from "vitest";
import { changeOf, claimOf, START, type Subject } from "./subject.ts";

const HOUR = 3_600_000;
const ids = (runs: { id: string }[]) => runs.map(({ id }) => id);

/** How workers take runs, lose them and give them back. */
export function queueConforms(subject: Subject): void {
  describe("the queue", () => {
    it("gives the oldest run of a stack of which none is running", async () => {
      const [a, b, c] = [await subject.queue("a"), await subject.queue("b"), await subject.queue("c", { stack: "o" })];
      expect(await subject.next()).toMatchObject([{ id: a, state: "running", attempts: 1, fileNumber: 1 }]);
      expect(await subject.next({ busyStacks: ["o"] })).toEqual([]);
      expect(ids(await subject.next())).toEqual([c]);
      expect(await subject.next()).toEqual([]);
      expect(await subject.ledger.depth()).toEqual({
        queued: 1,
        running: 2,
        oldestQueuedAt: (await subject.ledger.run(b))?.queuedAt,
      });
      await subject.ledger.finish(a, { state: "done" });
      expect(await subject.next({ busyStacks: ["inmet"] })).toEqual([]);
      expect(ids(await subject.next())).toEqual([b]);
    });

    it("gives each run to one worker when many ask at the same moment", async () => {
      for (let n = 0; n < 10; n++) await subject.queue(`a${n}`, { stack: `s${n}` });
      const taken = await Promise.all(Array.from({ length: 20 }, (_, n) => subject.next({ worker: `w${n}` })));
      expect(new Set(ids(taken.flat())).size).toBe(10);
      expect(taken.flat()).toHaveLength(10);
    });

    it("gives small loads of one stack together, in order, and what was tried before alone", async () => {
      const batch = { runs: 3, bytes: 100 };
      const small = [await subject.queue("a"), await subject.queue("b"), await subject.queue("c")];
      await subject.queue("other", { stack: "other" });
      const d = await subject.queue("d");
      expect(ids(await subject.next({ batch }))).toEqual(small);
      await subject.ledger.putBack(small);
      expect(await subject.next({ batch: { runs: 3, bytes: 14 } })).toMatchObject([{ attempts: 1 }, { attempts: 1 }]);
      await subject.ledger.releaseAll("worker");
      for (const id of small.slice(0, 2)) {
        expect(ids(await subject.next({ batch }))).toEqual([id]);
        await subject.ledger.finish(id, { state: "done" });
      }
      expect(ids(await subject.next({ batch }))).toEqual([small[2], d]);
    });

    it("gives small reruns together, with the loads among them", async () => {
      const roots = [await subject.load("a"), await subject.load("b")];
      const queued: string[] = [];
      for (const run of roots) queued.push((await subject.ledger.requeue({ run, kind: "rerun" })).id);
      queued.push(await subject.queue("c"));
      expect(ids(await subject.next({ batch: { runs: 9, bytes: 100 } }))).toEqual(queued);
    });

    it("takes no replay, no large file and nothing after them into a batch", async () => {
      const batch = { runs: 9, bytes: 100 };
      const root = await subject.load("root", {}, 1);
      const a = await subject.queue("a");
      const replay = await subject.ledger.requeue({ run: root, kind: "replay" });
      const [large, z] = [await subject.queue("large", { bytes: 100 }), await subject.queue("z")];
      for (const expected of [a, replay.id, large, z]) {
        expect(ids(await subject.next({ batch }))).toEqual([expected]);
        await subject.ledger.finish(expected, { state: "done" });
      }
    });

    it("counts no attempt of a run that is put back", async () => {
      const id = await subject.queue("a");
      await subject.next();
      let calls = 0;
      subject.ledger.onQueued(() => (calls += 1));
      await subject.ledger.putBack([id]);
      expect(calls).toBe(1);
      expect(await subject.ledger.run(id)).toMatchObject({ state: "queued", attempts: 0, error: null });
      await subject.ledger.putBack([id]);
      expect((await subject.next())[0]?.attempts).toBe(1);
    });

    it("shows the steps of the attempt that counts", async () => {
      const id = await subject.queue("a");
      await subject.next();
      await subject.ledger.startStep(id, "contract");
      await subject.ledger.releaseAll("worker");
      expect(await subject.next()).toMatchObject([{ id, steps: [] }]);
      for (const step of ["contract", "commit"]) await subject.ledger.startStep(id, step);
      await subject.ledger.commit({ stack: "inmet", runs: [id], changes: [] });
      await subject.ledger.startStep(id, "sinks/csv/x");
      await subject.ledger.releaseAll("worker");
      const [taken] = await subject.next();
      expect(taken).toMatchObject({ attempts: 3, committed: true });
      expect(taken?.steps.map(({ name }) => name)).toEqual(["contract", "commit"]);
      expect(taken?.steps.at(-1)?.finishedAt).not.toBeNull();
    });
  });

  describe("a run whose attempt failed", () => {
    it("waits for its time, while others go on", async () => {
      const [a, b] = [await subject.queue("a"), await subject.queue("b")];
      await subject.next();
      const at = new Date(subject.time + 60_000);
      await subject.ledger.retry(a, { at, error: "The store is gone." });
      expect(await subject.ledger.run(a)).toMatchObject({
        state: "queued",
        attempts: 1,
        retryAt: at.toISOString(),
        error: "The store is gone.",
      });
      expect(await subject.ledger.nextAt()).toEqual(at);
      expect(ids(await subject.next())).toEqual([b]);
      await subject.ledger.finish(b, { state: "done" });
      expect(await subject.next()).toEqual([]);
      await subject.crash();
      expect(await subject.next()).toEqual([]);
      subject.time = at.getTime();
      expect(await subject.next()).toMatchObject([{ id: a, attempts: 2, retryAt: null, error: "The store is gone." }]);
      expect((await subject.ledger.finish(a, { state: "done" })).error).toBeNull();
      expect(await subject.ledger.nextAt()).toBeUndefined();
    });

    it("is not forgotten if its time comes while nothing is taken", async () => {
      const a = await subject.queue("a");
      await subject.next();
      const at = new Date(subject.time + 60_000);
      await subject.ledger.retry(a, { at, error: "no" });
      subject.time = at.getTime() - 1;
      expect(await subject.next()).toEqual([]);
      subject.time = at.getTime() + 1;
      expect(await subject.ledger.nextAt()).toEqual(at);
      expect(ids(await subject.next())).toEqual([a]);
      expect(await subject.ledger.nextAt()).toBeUndefined();
    });

    it("has not been tried if the attempt does not count", async () => {
      const a = await subject.queue("a");
      await subject.next();
      await subject.ledger.retry(a, { at: new Date(subject.time), error: "The store is gone.", counts: false });
      expect(await subject.ledger.run(a)).toMatchObject({ attempts: 0, error: "The store is gone." });
      expect(await subject.next()).toMatchObject([{ id: a, attempts: 1 }]);
    });

    it("does not wait for hours when the clock is set back", async () => {
      const a = await subject.queue("a");
      await subject.next();
      await subject.ledger.retry(a, { at: new Date(subject.time + 60_000), error: "no" });
      subject.time -= 5 * HOUR;
      expect(ids(await subject.next())).toEqual([a]);
    });
  });

  describe("a lease", () => {
    it("keeps a run from other workers as long as it is renewed", async () => {
      const a = await subject.queue("a");
      await subject.next({ worker: "one" });
      expect(await subject.next({ worker: "two" })).toEqual([]);
      for (let minute = 0; minute < 5; minute++) {
        subject.elapsed += 50_000;
        expect(await subject.ledger.renew("one", 60)).toEqual([a]);
        expect(await subject.next({ worker: "two" })).toEqual([]);
      }
      subject.elapsed += 59_999;
      expect(await subject.next({ worker: "two" })).toEqual([]);
      expect((await subject.ledger.nextAt())?.getTime()).toBe(subject.time - 1000 + 1);
      subject.elapsed += 1;
      expect(await subject.next({ worker: "two" })).toMatchObject([
        { id: a, attempts: 2, error: "The processor stopped in the middle of the attempt." },
      ]);
      expect(await subject.ledger.renew("one", 60)).toEqual([]);
      expect(await subject.ledger.renew("two", 60)).toEqual([a]);
    });

    it("is not taken from a worker by itself, late as it may be", async () => {
      const a = await subject.queue("a");
      await subject.next();
      for (let look = 0; look < 3; look++) {
        expect(await subject.next()).toEqual([]);
        subject.elapsed += HOUR;
      }
      expect(await subject.ledger.renew("worker", 60)).toEqual([a]);
    });

    it("begins anew when its worker takes the run again", async () => {
      const a = await subject.queue("a");
      await subject.next({ worker: "one" });
      await subject.next({ worker: "two" });
      subject.elapsed += 50_000;
      await subject.ledger.putBack([a]);
      await subject.next({ worker: "one" });
      for (const seconds of [10, 59]) {
        subject.elapsed += seconds * 1000;
        expect(await subject.next({ worker: "two" })).toEqual([]);
      }
    });

    it("is not ended by the time of day, in whichever direction it is set", async () => {
      const [a, b] = [await subject.queue("a"), await subject.queue("b", { stack: "other" })];
      await subject.next({ worker: "one" });
      for (const shift of [5 * HOUR, -10 * HOUR, 0]) {
        subject.time += shift;
        expect(ids(await subject.next({ worker: "two" }))).not.toContain(a);
      }
      expect(await subject.ledger.renew("two", 60)).toEqual([b]);
      expect(await subject.ledger.run(a)).toMatchObject({ state: "running", attempts: 1 });
    });

    it("is over for one that crashed: when the ledger is opened again, or after its time if others share it", async () => {
      const a = await subject.queue("a");
      await subject.next({ worker: "one" });
      await subject.crash();
      subject.time -= 5 * HOUR;
      const early = subject.shared ? await subject.next({ worker: "two" }) : [];
      expect(early).toEqual([]);
      subject.elapsed += subject.shared ? 60_000 : 0;
      expect(await subject.next({ worker: "two" })).toMatchObject([
        { id: a, attempts: 2, error: "The processor stopped in the middle of the attempt." },
      ]);
    });

    it("is given up at once by the worker itself", async () => {
      const [a, b] = [await subject.queue("a"), await subject.queue("b", { stack: "other" })];
      await subject.next({ worker: "one" });
      await subject.next({ worker: "two" });
      let calls = 0;
      subject.ledger.onQueued(() => (calls += 1));
      await subject.ledger.releaseAll("one");
      expect(calls).toBe(1);
      expect(await subject.ledger.run(a)).toMatchObject({ state: "queued", attempts: 1 });
      expect(await subject.ledger.run(b)).toMatchObject({ state: "running" });
      expect(ids(await subject.next({ worker: "one" }))).toEqual([a]);
      expect(await subject.ledger.renew("one", 60)).toEqual([a]);
    });
  });

  describe("the clock, set back by hours,", () => {
    it("changes neither the order of runs nor what is in the tables", async () => {
      const a = await subject.queue("a");
      await subject.next();
      await subject.ledger.startStep(a, "contract");
      subject.time -= 5 * HOUR;
      const b = await subject.queue("b");
      expect((await subject.ledger.claim(claimOf("a"))).run.id).toBe(a);
      await subject.ledger.finishStep(a, "contract");
      await subject.ledger.commit({ stack: "inmet", runs: [a], changes: [changeOf("rain", a)] });
      await subject.ledger.finish(a, { state: "done" });
      expect(ids(await subject.next())).toEqual([b]);
      await subject.ledger.commit({ stack: "inmet", runs: [b], changes: [await subject.change("rain", b)] });
      expect(ids(await subject.ledger.runs({ limit: 9 }))).toEqual([b, a]);
      expect(ids(await subject.ledger.runs({ limit: 9, before: b }))).toEqual([a]);
      expect((await subject.ledger.tables.read("inmet", "rain"))?.files.map(({ parts }) => parts[0]?.run)).toEqual([
        a,
        b,
      ]);
      expect(await subject.ledger.received({ stack: "inmet", from: new Date(START - 6 * HOUR) })).toEqual([a, b]);
    });
  });
}
