import { describe, expect, it } from "vitest";
import { TableChanged } from "../index.ts";
import { changeOf, claimOf, fileOf, type Subject } from "./subject.ts";

/** What a run leaves behind: steps, counts, outputs, tables, and objects that count no more. */
export function commitsConform(subject: Subject): void {
  const keys = async (name: string) => (await subject.ledger.tables.read("inmet", name))?.files.map(({ key }) => key);
  const loose = async () => (await subject.ledger.loose.all()).map(({ role, key }) => `${role} ${key}`);
  const commit = (runs: string[], ...changes: ReturnType<typeof changeOf>[]) =>
    subject.ledger.commit({ stack: "inmet", runs, changes });

  describe("a run", () => {
    it("keeps its steps, counts, what was found and outputs, in order", async () => {
      const id = await subject.queue("a");
      await subject.next();
      const { ledger } = subject;
      for (const step of ["contract", "tables/x"]) {
        await ledger.startStep(id, step);
        await ledger.finishStep(id, step);
      }
      await ledger.startStep(id, "sinks/csv/x");
      await subject.count(id, 1);
      await ledger.addOutput(id, { kind: "csv", name: "x", location: "/out/x.csv", rows: 2, bytes: 9 });
      await ledger.addOutput(id, { kind: "csv", name: "x", location: "/out/x.csv", rows: 3, bytes: 9 });
      const ended = await ledger.finish(id, { state: "done" });
      expect(ended).toMatchObject({
        state: "done",
        rows: { read: 10, clean: 9, rejected: 1 },
        found: { format: "csv", encoding: "utf-8", delimiter: ";" },
        steps: [{ name: "contract" }, { name: "tables/x" }, { name: "sinks/csv/x", finishedAt: null }],
        outputs: [{ kind: "csv", name: "x", location: "/out/x.csv", rows: 3, bytes: 9 }],
      });
      await subject.crash();
      expect(await subject.ledger.run(id)).toEqual(ended);
      expect(await subject.ledger.rejectedKey(id)).toBe(`rejected-rows/${id}-1.parquet`);
      expect(await subject.ledger.header(id)).toEqual(["day", "mm"]);
      expect(await subject.ledger.source(id)).toEqual({
        store: "fs:inmet/input",
        key: "a",
        version: "1",
        deleted: false,
      });
    });

    it("cannot count rows that are neither clean nor rejected", async () => {
      const id = await subject.queue("a");
      const counted = { rejectedKey: null, header: [], found: { format: "csv" } };
      await expect(subject.ledger.countRows(id, { read: 3, clean: 1, rejected: 1 }, counted)).rejects.toThrow(
        /constraint/,
      );
      expect(await subject.ledger.run(id)).toMatchObject({ rows: { read: 0 }, found: null });
      await subject.ledger.countRows(id, { read: 3, clean: 2, rejected: 1 }, counted);
      expect((await subject.ledger.run(id))?.found).toEqual({ format: "csv", encoding: null, delimiter: null });
    });

    it("ends once", async () => {
      const id = await subject.queue("a");
      await subject.next();
      const ended = await subject.ledger.finish(id, { state: "quarantined", error: "No." });
      expect(ended).toMatchObject({ state: "quarantined", error: "No." });
      expect(await subject.ledger.finish(id, { state: "done" })).toEqual(ended);
      await subject.ledger.retry(id, { at: new Date(subject.time), error: "again" });
      expect(await subject.ledger.run(id)).toEqual(ended);
    });

    it("is listed newest first, by stack, state, kind, file and page", async () => {
      const a = await subject.load("a", {}, 1);
      const b = await subject.queue("b", { stack: "other" });
      const c = (await subject.ledger.requeue({ run: a, kind: "rerun" })).id;
      await subject.next({ busyStacks: ["inmet"] });
      const listed = async (filter: Partial<Parameters<typeof subject.ledger.runs>[0]>) =>
        (await subject.ledger.runs({ limit: 10, ...filter })).map(({ id }) => id);
      expect(await listed({})).toEqual([c, b, a]);
      expect(await listed({ stack: "inmet" })).toEqual([c, a]);
      expect(await listed({ state: "running" })).toEqual([b]);
      expect(await listed({ kind: "rerun" })).toEqual([c]);
      expect(await listed({ root: a })).toEqual([c, a]);
      expect(await listed({ limit: 1, before: c })).toEqual([b]);
      expect(await listed({ before: a })).toEqual([]);
    });
  });

  describe("a table", () => {
    it("is nothing before the first commit", async () => {
      expect(await subject.ledger.tables.read("inmet", "x")).toBeUndefined();
    });

    it("grows, is replaced whole, and loses one file's rows, all tables of a commit at once", async () => {
      const [a, b] = [await subject.queue("a"), await subject.queue("b")];
      const whole = { whole: true };
      await commit([a], await subject.change("x", a), await subject.change("y", a, whole));
      await commit([b], await subject.change("x", b), await subject.change("y", b, whole));
      expect(await keys("x")).toEqual([`x/${a}`, `x/${b}`]);
      expect(await keys("y")).toEqual([`y/${b}`]);
      for (const id of [a, b]) {
        await subject.next();
        await subject.ledger.finish(id, { state: "done" });
      }
      const rerun = (await subject.ledger.requeue({ run: a, kind: "rerun" })).id;
      const state = await subject.ledger.tables.read("inmet", "x");
      expect(state).toMatchObject({ change: 2, version: null, partitionBy: [], location: "/lake/x" });
      expect(state?.files).toMatchObject([
        { parts: [{ run: a, root: a, fileNumber: 1, rerun: true, firstRow: 0, rows: 2 }] },
        { parts: [{ run: b, root: b, fileNumber: 2, rerun: false }] },
      ]);
      const { files: _, ...head } = state ?? { files: [] };
      expect(await subject.ledger.tables.head("inmet", "x")).toEqual(head);
      // Taken with others, it waits for those before it until it is committed.
      await subject.next();
      expect((await subject.ledger.tables.read("inmet", "x"))?.files[0]?.parts).toMatchObject([{ rerun: true }]);
      await commit([rerun], await subject.change("x", rerun, { removes: [`x/${a}`] }));
      expect((await subject.ledger.tables.read("inmet", "x"))?.files).toMatchObject([
        { key: `x/${b}` },
        { key: `x/${rerun}`, parts: [{ root: a, fileNumber: 1, run: rerun, rerun: false }] },
      ]);
      // Versions of the log may still be read, so what is removed is neither loose nor forgotten.
      expect(await loose()).toEqual([]);
      expect(await subject.ledger.tables.removed("inmet", "x")).toMatchObject([{ key: `x/${a}` }]);
      expect(await subject.ledger.tables.read("other", "x")).toBeUndefined();
      expect(await subject.ledger.tables.list("inmet")).toEqual([
        { stack: "inmet", name: "x" },
        { stack: "inmet", name: "y" },
      ]);
      const more = { rows: 2, bytes: 10, how: { mode: "full" }, version: null };
      expect((await subject.ledger.run(b))?.outputs).toEqual([
        { kind: "table", name: "x", location: "/lake/x", ...more },
        { kind: "table", name: "y", location: "/lake/y", ...more },
      ]);
    });

    it("takes several runs in one commit, each with its rows, in files of its own or shared ones", async () => {
      const [a, b] = [await subject.queue("a"), await subject.queue("b")];
      const shared = {
        ...fileOf("x/both", a, 5, 8),
        parts: [
          { run: a, firstRow: 0, rows: 3 },
          { run: b, firstRow: 3, rows: 2 },
        ],
      };
      const adds = [fileOf(`x/${a}`, a), shared];
      await commit([a, b], changeOf("x", a, { adds }), changeOf("y", b, { whole: true }));
      expect((await subject.ledger.run(a))?.outputs).toMatchObject([{ rows: 5, bytes: 18 }, { location: "/lake/y" }]);
      expect((await subject.ledger.run(b))?.outputs).toMatchObject([{ rows: 2, bytes: 8 }, { location: "/lake/y" }]);
      expect(await keys("x")).toEqual([`x/${a}`, "x/both"]);
      const smaller = [8, 9, 11].map((bytes) => subject.ledger.tables.smaller("inmet", "x", bytes));
      expect(await Promise.all(smaller)).toEqual([
        { files: 0, partitions: 0 },
        { files: 1, partitions: 1 },
        { files: 2, partitions: 1 },
      ]);
      expect((await subject.ledger.tables.read("inmet", "x"))?.files[1]?.parts).toMatchObject(shared.parts);
    });

    it("takes a run's commit once, even if it comes with others", async () => {
      const [a, b] = [await subject.queue("a"), await subject.queue("b")];
      await commit([a], changeOf("x", a));
      await subject.crash();
      await commit([a], await subject.change("x", a, { adds: [fileOf("x/again", a)], whole: true }));
      expect(await keys("x")).toEqual([`x/${a}`]);
      const adds = [fileOf("x/again", a), fileOf(`x/${b}`, b)];
      await commit([a, b], await subject.change("x", a, { adds }));
      expect(await keys("x")).toEqual([`x/${a}`, `x/${b}`]);
      expect(await subject.ledger.isCommitted(b)).toBe(true);
    });

    it("is as before when a commit fails half-way", async () => {
      const id = await subject.queue("a");
      const twice = changeOf("x", id, { adds: [fileOf("x/1", id), fileOf("x/1", id)] });
      const [, other] = await Promise.allSettled([commit([id], changeOf("y", id), twice), subject.queue("b")]);
      expect(other.status).toBe("fulfilled");
      for (const name of ["x", "y"]) expect(await subject.ledger.tables.read("inmet", name)).toBeUndefined();
      expect(await subject.ledger.isCommitted(id)).toBe(false);
      await expect(commit([id], twice)).rejects.toThrow(/constraint/);
      await expect(commit([id], changeOf("x", id, { removes: ["x/none"] }))).rejects.toThrow(
        'The table "x" of the stack "inmet" does not hold x/none, which is to be removed.',
      );
      await commit([id], changeOf("x", id));
      expect(await keys("x")).toEqual([`x/${id}`]);
    });

    it("is not changed by what was made of an earlier state", async () => {
      const [a, b] = [await subject.queue("a"), await subject.queue("b")];
      await commit([a], changeOf("x", a));
      const stale = commit([b], changeOf("y", b), changeOf("x", b));
      await expect(stale).rejects.toThrow(TableChanged);
      await expect(stale).rejects.toThrow(
        'The table "x" of the stack "inmet" has changed since it was read; do it again.',
      );
      expect(await subject.ledger.tables.read("inmet", "y")).toBeUndefined();
      expect(await subject.ledger.isCommitted(b)).toBe(false);
      await commit([b], await subject.change("x", b));
      expect(await keys("x")).toEqual([`x/${a}`, `x/${b}`]);
    });
  });

  describe("a run that failed after its commit", () => {
    it("is delivered again when its content is sent again, and loaded anew only if asked", async () => {
      const first = await subject.queue("a", { sha256: "same" });
      await subject.next();
      await commit([first], changeOf("x", first));
      const failed = await subject.ledger.finish(first, { state: "failed", error: "No room." });
      expect(failed.error).toBe(
        "The tables are committed, but their delivery failed: No room. Send the file again to deliver again (nothing is loaded twice).",
      );
      let calls = 0;
      subject.ledger.onQueued(() => (calls += 1));
      const b = claimOf("b", { sha256: "same" });
      expect(await subject.ledger.claim(b)).toMatchObject({
        created: false,
        run: { id: first, state: "queued", attempts: 0, error: null, finishedAt: null },
      });
      expect(calls).toBe(1);
      expect(await subject.next({ batch: { runs: 9, bytes: 99 } })).toMatchObject([{ id: first, committed: true }]);
      expect((await subject.ledger.claim(b, { again: true })).created).toBe(true);
    });
  });

  describe("an object that does not count", () => {
    it("is forgotten by what makes it count, and noted when it is dropped", async () => {
      const note = (role: "input" | "lake", key: string) => subject.ledger.loose.note({ stack: "inmet", role, key });
      for (const key of ["a", "b"]) await note("input", key);
      const a = await subject.queue("a");
      for (const key of [`x/${a}`, "x/orphan", `rejected-rows/${a}-1.parquet`]) await note("lake", key);
      await subject.count(a, 1);
      await commit([a], changeOf("x", a));
      expect(await loose()).toEqual(["input b", "lake x/orphan"]);
      const c = await subject.queue("c");
      await commit([c], await subject.change("x", c, { whole: true }));
      await subject.ledger.tables.vacuumed("inmet", "x", [`x/${a}`]);
      expect(await subject.ledger.tables.removed("inmet", "x")).toEqual([]);
      await subject.crash();
      expect((await loose()).toSorted()).toEqual(["input b", "lake x/orphan", `lake x/${a}`].toSorted());
      for (const object of await subject.ledger.loose.all()) await subject.ledger.loose.forget(object);
      expect(await loose()).toEqual([]);
    });

    it("is also what an attempt refused that was followed by another", async () => {
      const id = await subject.queue("a");
      const counted = { rejectedKey: "rejected-rows/1", header: [], found: { format: "csv" } };
      const rows = { read: 1, clean: 0, rejected: 1 };
      for (const rejectedKey of ["rejected-rows/1", "rejected-rows/1", "rejected-rows/2"])
        await subject.ledger.countRows(id, rows, { ...counted, rejectedKey });
      expect(await loose()).toEqual(["lake rejected-rows/1"]);
    });

    it("is the place, and the version, that a file was moved or deleted from", async () => {
      const { ledger } = subject;
      const [a, b] = [await subject.load("a"), await subject.load("b")];
      await ledger.loose.note({ stack: "inmet", role: "input", key: "archive/a" });
      await ledger.moved(a, "archive/a");
      await ledger.moved(b, null);
      await ledger.moved(a, "archive/other");
      expect(await ledger.loose.all()).toEqual([
        { stack: "inmet", role: "input", key: "a", version: "1" },
        { stack: "inmet", role: "input", key: "b", version: "1" },
      ]);
      expect(await ledger.loose.all({ stack: "inmet", role: "input", key: "b" })).toHaveLength(1);
      expect(await ledger.source(a)).toEqual({
        store: "fs:inmet/input",
        key: "archive/a",
        version: null,
        deleted: false,
      });
      expect(await ledger.source(b)).toMatchObject({ key: "b", deleted: true });
      expect((await ledger.run(a))?.file.key).toBe("archive/a");
      // Someone writes to the place that was left.
      await subject.queue("b", { version: "2", sha256: "new" });
      await ledger.loose.forget({ stack: "inmet", role: "input", key: "a", version: "1" });
      expect(await ledger.loose.all()).toMatchObject([{ key: "b", version: "1" }]);
    });
  });

  it("knows every object that a run, a table or a note names, and no other", async () => {
    const { ledger } = subject;
    const a = await subject.load("a", {}, 1);
    const correction = { key: "corrections/1.csv", sha256: "c", bytes: 1 };
    await ledger.requeue({ run: a, kind: "replay", correction });
    await ledger.moved(a, "archive/a");
    await ledger.loose.note({ stack: "inmet", role: "lake", key: "rain/loose" });
    const known = ["a", "archive/a", "corrections/1.csv", `rain/${a}`, `rejected-rows/${a}-1.parquet`, "rain/loose"];
    for (const key of known) expect(await ledger.knows(key)).toBe(true);
    for (const key of ["b", "archive/b", `${a}`, "rain/2", ""]) expect(await ledger.knows(key)).toBe(false);
  });
}
