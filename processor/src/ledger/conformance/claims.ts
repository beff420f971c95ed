import { describe, expect, it } from "vitest";
import { IdempotencyConflict, ReplayRefused } from "../index.ts";
import { claimOf, type Subject } from "./subject.ts";

/** How files come into the queue, once, and again if that is asked for. */
export function claimsConform(subject: Subject): void {
  describe("a claim", () => {
    it("queues a load with all that is known of the file", async () => {
      const more = { sha256: "hash", by: "ana", traceparent: "00-1-2-01" };
      const { run, created } = await subject.ledger.claim(claimOf("a", more));
      expect(created).toBe(true);
      expect(run).toEqual({
        id: expect.stringMatching(/^20260101t00000\d-[0-9a-f]{12}$/),
        stack: "inmet",
        kind: "load",
        root: null,
        state: "queued",
        file: { name: "rain.csv", key: "a", bytes: 7, sha256: "hash" },
        rows: { read: 0, clean: 0, rejected: 0 },
        open: null,
        found: null,
        attempts: 0,
        retryAt: null,
        by: "ana",
        error: null,
        steps: [],
        outputs: [],
        deliveries: [],
        queuedAt: expect.stringMatching(/^2026-01-01T00:00:0\d.000Z$/),
        startedAt: null,
        finishedAt: null,
      });
      await subject.crash();
      expect(await subject.ledger.run(run.id)).toEqual(run);
      expect(await subject.next()).toMatchObject([{ id: run.id, traceparent: "00-1-2-01", fileRoot: run.id }]);
      expect(await subject.ledger.run("nothing")).toBeUndefined();
    });

    it("is given once per store, key and version", async () => {
      const first = await subject.queue("a");
      expect(await subject.ledger.claim(claimOf("a"), { again: true })).toMatchObject({
        created: false,
        run: { id: first },
      });
      expect((await subject.ledger.claim(claimOf("a", { version: "2" }), { again: true })).created).toBe(true);
      expect((await subject.ledger.claim(claimOf("a", { store: "fs:other" }), { again: true })).created).toBe(true);
      const object = { store: "fs:inmet/input", key: "a", version: "1" };
      expect(await subject.ledger.isClaimed(object)).toBe(true);
      expect(await subject.ledger.isClaimed({ ...object, version: "3" })).toBe(false);
    });

    it.each(["queued", "running", "done"] as const)("finds the same content when it is %s", async (state) => {
      const first = await subject.queue("a", { sha256: "same" });
      if (state !== "queued") await subject.next();
      if (state === "done") await subject.ledger.finish(first, { state });
      const b = claimOf("b", { sha256: "same" });
      expect(await subject.ledger.claim(b)).toMatchObject({ created: false, run: { id: first } });
      expect((await subject.ledger.claim({ ...b, stack: "other" })).created).toBe(true);
      expect((await subject.ledger.claim({ ...b, key: "c" }, { again: true })).created).toBe(true);
    });

    it.each(["failed", "quarantined"] as const)("takes the same content again after it %s", async (state) => {
      const first = await subject.queue("a", { sha256: "same" });
      await subject.next();
      await subject.ledger.finish(first, { state, error: "no" });
      expect((await subject.ledger.claim(claimOf("b", { sha256: "same" }))).created).toBe(true);
    });

    it("remembers an object that stays although its content was known", async () => {
      const first = await subject.queue("a", { sha256: "same" });
      const b = claimOf("b", { sha256: "same" });
      expect((await subject.ledger.claim(b, { kept: true })).run.id).toBe(first);
      await subject.next();
      await subject.ledger.finish(first, { state: "failed", error: "no" });
      await subject.crash();
      expect(await subject.ledger.claim(b)).toMatchObject({ created: false, run: { id: first, state: "failed" } });
      expect(await subject.ledger.isClaimed(b)).toBe(true);
    });

    it("tells whoever listens, once it is durable", async () => {
      let calls = 0;
      subject.ledger.onQueued(() => (calls += 1));
      await subject.queue("a");
      await subject.queue("a");
      expect(calls).toBe(1);
    });

    it("is one when 50 callers claim the same object at the same moment", async () => {
      const claims = await Promise.all(Array.from({ length: 50 }, () => subject.ledger.claim(claimOf("a"))));
      expect(new Set(claims.map(({ run }) => run.id)).size).toBe(1);
      expect(claims.filter(({ created }) => created)).toHaveLength(1);
      const same = Array.from({ length: 50 }, (_, n) =>
        subject.ledger.claim(claimOf(`b${n}`, { sha256: "same", stack: "other" })),
      );
      expect((await Promise.all(same)).filter(({ created }) => created)).toHaveLength(1);
      expect(await subject.ledger.depth()).toMatchObject({ queued: 2, running: 0 });
    });
  });

  describe("an idempotency key", () => {
    it("gives the first answer again, over a crash and against again", async () => {
      const a = claimOf("a", { sha256: "same", idempotencyKey: "k" });
      const { run } = await subject.ledger.claim(a);
      await subject.crash();
      const b = { ...a, key: "b" };
      expect(await subject.ledger.claim(b, { again: true })).toMatchObject({ created: false, run: { id: run.id } });
      expect((await subject.ledger.claim({ ...b, stack: "other" })).created).toBe(true);
      expect(await subject.ledger.runs({ limit: 9, stack: "inmet" })).toHaveLength(1);
    });

    it("is refused for another content, and that hinders nobody else", async () => {
      await subject.queue("a", { idempotencyKey: "k" });
      const [refused, taken] = await Promise.allSettled([
        subject.ledger.claim(claimOf("b", { idempotencyKey: "k" })),
        subject.ledger.claim(claimOf("c")),
      ]);
      expect(refused).toMatchObject({ status: "rejected", reason: expect.any(IdempotencyConflict) });
      expect(taken).toMatchObject({ status: "fulfilled", value: { created: true } });
      expect(await subject.ledger.runs({ limit: 9 })).toHaveLength(2);
    });

    it("makes a replay one, too", async () => {
      const run = await subject.load("a", {}, 3);
      const of = { run, kind: "replay", idempotencyKey: "k" } as const;
      const { id } = await subject.ledger.requeue(of);
      expect((await subject.ledger.requeue(of)).id).toBe(id);
      const correction = { key: "corrections/1.csv", sha256: "other", bytes: 1 };
      await expect(subject.ledger.requeue({ ...of, correction })).rejects.toThrow(IdempotencyConflict);
    });
  });

  describe("a file that was received", () => {
    it("is replayed if rows of it are open, and by one run at a time", async () => {
      const root = await subject.load("a", {}, 3);
      expect(await subject.ledger.open(root)).toEqual({
        scope: "rows",
        rows: 3,
        rejectedKey: `rejected-rows/${root}-1.parquet`,
        header: ["day", "mm"],
      });
      await subject.ledger.loose.note({ stack: "inmet", role: "input", key: "corrections/1.csv" });
      const correction = { key: "corrections/1.csv", sha256: "c", bytes: 5 };
      const replay = await subject.ledger.requeue({ run: root, kind: "replay", correction, by: "ana" });
      expect(replay).toMatchObject({
        kind: "replay",
        root,
        state: "queued",
        by: "ana",
        file: { key: "a", name: "rain.csv" },
        open: { scope: "rows", rows: 3 },
      });
      expect(await subject.ledger.loose.all()).toEqual([]);
      for (const kind of ["replay", "rerun"] as const)
        await expect(subject.ledger.requeue({ run: replay.id, kind })).rejects.toThrow(
          new ReplayRefused(`The file is in the queue already, as the run ${replay.id}; wait for its end.`),
        );
      expect(await subject.ledger.received({ stack: "inmet" })).toEqual([root]);
      expect(await subject.next()).toMatchObject([
        { id: replay.id, fileRoot: root, correction: "corrections/1.csv", committed: false },
      ]);
      expect(await subject.ledger.corrections(root)).toEqual([]);
      await subject.count(replay.id, 1);
      await subject.ledger.commit({
        stack: "inmet",
        runs: [replay.id],
        changes: [await subject.change("rain", replay.id)],
      });
      await subject.ledger.finish(replay.id, { state: "done" });
      expect(await subject.ledger.corrections(root)).toEqual(["corrections/1.csv"]);
      expect(await subject.ledger.run(root)).toMatchObject({ state: "done", open: { scope: "rows", rows: 1 } });
      expect(await subject.ledger.rejectedKey(root)).toBe(`rejected-rows/${root}-1.parquet`);
      expect((await subject.ledger.runs({ root, limit: 9 })).map(({ id }) => id)).toEqual([replay.id, root]);
    });

    it("is not replayed if nothing is open", async () => {
      const root = await subject.load("a");
      expect(await subject.ledger.open(root)).toBeUndefined();
      await expect(subject.ledger.requeue({ run: root, kind: "replay" })).rejects.toThrow(
        new ReplayRefused("Nothing of the file is open: all of its rows are in the tables."),
      );
      expect((await subject.ledger.requeue({ run: root, kind: "rerun" })).open).toBeNull();
    });

    it("has nothing open if what it refused was only counted", async () => {
      const root = await subject.queue("a");
      await subject.next();
      const counted = { rejectedKey: null, header: ["day"], found: { format: "csv" } };
      await subject.ledger.countRows(root, { read: 3, clean: 1, rejected: 2 }, counted);
      await subject.ledger.commit({ stack: "inmet", runs: [root], changes: [] });
      expect(await subject.ledger.open(root)).toBeUndefined();
    });

    it("is open whole if no run of it was committed", async () => {
      const root = await subject.queue("a");
      expect(await subject.ledger.open(root)).toBeUndefined();
      await subject.next();
      await subject.count(root, 10);
      await subject.ledger.finish(root, { state: "quarantined", error: "All." });
      expect((await subject.ledger.run(root))?.open).toEqual({ scope: "file", rows: 10 });
      const replay = await subject.ledger.requeue({ run: root, kind: "replay" });
      expect(await subject.ledger.open(root)).toMatchObject({ scope: "file" });
      const b = claimOf("b", { sha256: "hash of a" });
      expect(await subject.ledger.claim(b)).toMatchObject({ created: false, run: { id: root } });
      await subject.next();
      await subject.count(replay.id);
      await subject.ledger.commit({
        stack: "inmet",
        runs: [replay.id],
        changes: [await subject.change("rain", replay.id)],
      });
      expect((await subject.ledger.run(root))?.open).toBeNull();
      await subject.ledger.finish(replay.id, { state: "done" });
      expect((await subject.ledger.claim(b)).run.id).toBe(root);
    });

    it("is not loaded by its replay if its content came in by another file, unless that was asked for", async () => {
      const { ledger } = subject;
      const same = { sha256: "hash of a" };
      const refused = async (key: string, again = false) => {
        const { run } = await ledger.claim(claimOf(key, same), { again });
        await subject.next();
        await ledger.finish(run.id, { state: "quarantined", error: "All." });
        return run.id;
      };
      const [a, b] = [await refused("a"), await refused("b")];
      const replay = await ledger.requeue({ run: a, kind: "replay" });
      for (const kind of ["replay", "rerun"] as const)
        await expect(ledger.requeue({ run: b, kind })).rejects.toThrow(
          new ReplayRefused(
            `The stack has the same content as the run ${a}, so this would load it twice; to do that, send it with again=true.`,
          ),
        );
      await subject.next();
      await ledger.commit({ stack: "inmet", runs: [replay.id], changes: [await subject.change("rain", replay.id)] });
      await ledger.finish(replay.id, { state: "done" });
      await expect(ledger.requeue({ run: b, kind: "replay" })).rejects.toThrow(ReplayRefused);
      expect(await ledger.requeue({ run: await refused("c", true), kind: "replay" })).toMatchObject({
        state: "queued",
      });
      expect(await ledger.requeue({ run: a, kind: "rerun" })).toMatchObject({ state: "queued" });
    });

    it("is found by its time of receipt, and not run again if it was deleted", async () => {
      const [a, b, c] = [await subject.load("a"), await subject.load("b"), await subject.load("c")];
      const { ledger } = subject;
      const time = new Date((await ledger.run(b))?.queuedAt ?? "");
      expect(await ledger.received({ stack: "inmet" })).toEqual([a, b, c]);
      expect(await ledger.received({ stack: "other" })).toEqual([]);
      expect(await ledger.received({ stack: "inmet", from: time })).toEqual([b, c]);
      expect(await ledger.received({ stack: "inmet", to: time })).toEqual([a]);
      await ledger.moved(b, null);
      await expect(ledger.requeue({ run: b, kind: "rerun" })).rejects.toThrow(
        new ReplayRefused("The file was deleted after it was loaded, as its stack asks; send it again."),
      );
      await expect(ledger.requeue({ run: "nothing", kind: "rerun" })).rejects.toThrow(/has no run "nothing"/);
    });
  });
}
