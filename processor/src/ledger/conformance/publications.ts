import { describe, expect, it } from "vitest";
import { TableChanged } from "../index.ts";
import { fileOf, followed, START, type Subject } from "./subject.ts";

/** How what is committed comes into the tables' Delta logs, and what others wrote there into the ledger. */
export function publicationsConform(subject: Subject): void {
  const state = () => subject.ledger.tables.read("inmet", "rain");
  const keys = async () => (await state())?.files.map(({ key }) => key);
  const loose = async () => (await subject.ledger.loose.all()).map(({ key }) => key);
  const pending = () => subject.ledger.publications.pending({ stack: "inmet", table: "rain" });
  const add = async (id: string, more: Parameters<Subject["change"]>[2] = {}) =>
    subject.ledger.commit({ stack: "inmet", runs: [id], changes: [await subject.change("rain", id, more)] });

  describe("a publication", () => {
    it("is queued with the commit, in order, until it is in the log", async () => {
      const { ledger } = subject;
      const [a, b] = [await subject.load("a"), await subject.queue("b")];
      await subject.next();
      const columns = [
        { name: "day", type: "DATE" },
        { name: "mm", type: "DOUBLE" },
      ];
      const adds = [{ ...fileOf("rain/1", b), partition: { day: "2026-01-01" }, stats: '{"numRecords":2}' }];
      const more = { columns, partitionBy: ["day"], adds, removes: [`rain/${a}`], operation: "MERGE" } as const;
      const change = await subject.change("rain", b, {
        ...more,
        partitionBy: [...more.partitionBy],
        removes: [`rain/${a}`],
      });
      await ledger.commit({ stack: "inmet", runs: [b], changes: [change, await subject.change("other", b)] });
      await subject.crash();
      const all = await subject.ledger.publications.pending();
      expect(all.map(({ table, batch }) => [table, batch])).toEqual([
        ["rain", 1],
        ["rain", 2],
        ["other", 2],
      ]);
      const [first, second] = await pending();
      expect(second).toEqual({
        id: (first?.id ?? 0) + 1,
        stack: "inmet",
        table: "rain",
        batch: 2,
        operation: "MERGE",
        whole: false,
        columns,
        partitionBy: ["day"],
        adds: [
          {
            key: "rain/1",
            rows: 2,
            bytes: 10,
            partition: { day: "2026-01-01" },
            stats: '{"numRecords":2}',
            modifiedAt: expect.any(Number),
          },
        ],
        removes: [`rain/${a}`],
        runs: [b],
        at: expect.stringMatching(/^2026-01-01/),
      });
      expect(second?.adds[0]?.modifiedAt).toBeGreaterThan(START);
      expect((await state())?.files[0]).toMatchObject({ partition: { day: "2026-01-01" }, stats: '{"numRecords":2}' });
      const ids = [first, second].map((one) => one?.id ?? 0);
      await subject.ledger.publications.published(ids, { version: 7, unwritten: [`rain/${a}`] });
      expect(await pending()).toEqual([]);
      expect(await state()).toMatchObject({ version: 7, change: 2, partitionBy: ["day"], columns });
      expect((await subject.ledger.run(a))?.outputs).toMatchObject([
        { name: "rain", version: 7, how: { mode: "full" } },
      ]);
      expect((await subject.ledger.run(b))?.outputs).toMatchObject([{ version: 7 }, { name: "other", version: null }]);
      // No version of the log names it.
      expect(await loose()).toEqual([`rain/${a}`]);
      expect(await subject.ledger.tables.removed("inmet", "rain")).toEqual([]);
      await subject.ledger.publications.published(ids, { version: 8 });
      expect(await state()).toMatchObject({ version: 7 });
    });

    it("is none where nothing changed", async () => {
      const id = await subject.load("a");
      const [{ id: first } = { id: 0 }] = await pending();
      await subject.ledger.publications.published([first], { version: 0 });
      const b = await subject.queue("b");
      await add(b, { adds: [] });
      expect(await pending()).toEqual([]);
      expect(await state()).toMatchObject({ change: 1, files: [{ parts: [{ run: id }] }] });
      expect(await subject.ledger.isCommitted(b)).toBe(true);
    });

    it("is also what no run made", async () => {
      const [a, b] = [await subject.load("a"), await subject.load("b")];
      const parts = [a, b].map((run, index) => ({ run, firstRow: 2 * index, rows: 2 }));
      const adds = [{ ...fileOf("rain/large", a, 4), parts }];
      const change = await subject.change("rain", a, { adds, removes: (await keys()) ?? [], operation: "OPTIMIZE" });
      await subject.ledger.tables.change("inmet", change);
      await expect(subject.ledger.tables.change("inmet", change)).rejects.toThrow(/has changed since it was read/);
      expect(await state()).toMatchObject({ change: 3, files: [{ key: "rain/large", parts }] });
      expect((await pending()).at(-1)).toMatchObject({ operation: "OPTIMIZE", runs: [], batch: 3 });
      expect((await subject.ledger.run(a))?.outputs).toMatchObject([{ rows: 2 }]);
    });

    it("that is refused is taken out of the table, and fails its runs", async () => {
      const { ledger } = subject;
      const done = await subject.load("a");
      const running = await subject.queue("b");
      await subject.next();
      await add(running, { removes: [`rain/${done}`] });
      const [first, second] = await pending();
      const reason = "Another program rewrote it; run it again.";
      await ledger.publications.published([first?.id ?? 0], { version: 0 });
      const table = followed(1, { adds: [fileOf("rain/theirs", null, 5)], removes: [`rain/${running}`] });
      await ledger.publications.refused([{ id: second?.id ?? 0, reason }], table);
      await subject.crash();
      expect(await pending()).toEqual([]);
      expect(await state()).toMatchObject({ version: 1, change: 3 });
      expect((await state())?.files).toMatchObject([
        { key: "rain/theirs", parts: [{ run: null, root: null, rows: 5 }] },
      ]);
      // Nothing names what it added; what it removed is in an older version.
      expect(await loose()).toEqual([`rain/${running}`]);
      expect((await subject.ledger.tables.removed("inmet", "rain")).map(({ key }) => key)).toEqual([`rain/${done}`]);
      // SQLite's next process puts a running run back.
      if (!subject.shared) await subject.next();
      expect(await subject.ledger.finish(running, { state: "done" })).toMatchObject({ state: "failed", error: reason });
      expect((await subject.ledger.run(done))?.state).toBe("done");
      // It is no failed delivery: sent again, it is that run; run again, it is loaded.
      expect(await subject.ledger.claim({ ...same("b"), key: "c" })).toMatchObject({
        run: { id: running, state: "failed" },
      });
      expect(await subject.ledger.requeue({ run: running, kind: "rerun" })).toMatchObject({
        state: "queued",
        error: null,
      });
    });

    it("that is refused after its runs ended fails them then", async () => {
      const id = await subject.load("a");
      const [{ id: first } = { id: 0 }] = await pending();
      const table = followed(4, { removes: [`rain/${id}`] });
      const { finishedAt } = (await subject.ledger.run(id)) ?? {};
      await subject.ledger.publications.refused([{ id: first, reason: "No." }], table);
      expect(await subject.ledger.run(id)).toMatchObject({ state: "failed", error: "No.", outputs: [] });
      expect((await subject.ledger.run(id))?.finishedAt).not.toBe(finishedAt);
      expect(await keys()).toEqual([]);
      await subject.crash();
      expect((await subject.ledger.publications.untold()).map(({ id, state }) => [id, state])).toEqual([
        [id, "failed"],
      ]);
      await subject.ledger.publications.told(id);
      expect(await subject.ledger.publications.untold()).toEqual([]);
    });

    it("that is refused leaves all of the file open, until a later run of it is committed", async () => {
      const { ledger } = subject;
      const id = await subject.queue("a");
      await subject.next();
      await subject.count(id, 2);
      await add(id);
      const [{ id: first } = { id: 0 }] = await pending();
      await ledger.publications.refused([{ id: first, reason: "No." }], followed(4, { removes: [`rain/${id}`] }));
      // While it still runs, too: what becomes of the file depends on it.
      expect(await ledger.open(id)).toMatchObject({ scope: "file", rows: 10, header: ["day", "mm"] });
      await ledger.finish(id, { state: "done" });
      expect((await ledger.publications.untold()).map((run) => run.id)).toEqual([id]);
      expect((await ledger.run(id))?.open).toEqual({ scope: "file", rows: 10 });
      const replay = (await ledger.requeue({ run: id, kind: "replay" })).id;
      await subject.next();
      await subject.count(replay, 1);
      // It was refused when the replay had read what was open before.
      const early = ledger.commit({ stack: "inmet", runs: [replay], changes: [], openOnly: [replay] });
      await expect(early).rejects.toThrow(TableChanged);
      expect(await ledger.open(id)).toMatchObject({ scope: "file" });
      await add(replay);
      await ledger.finish(replay, { state: "done" });
      expect((await ledger.run(id))?.open).toEqual({ scope: "rows", rows: 1 });
      expect((await ledger.run(id))?.error).toBe("No.");
    });
  });

  describe("a table that another program wrote to", () => {
    it("has what its log has, and counts its batches on from there", async () => {
      const { ledger } = subject;
      const a = await subject.load("a");
      const columns = [
        { name: "day", type: "DATE" },
        { name: "note", type: "VARCHAR" },
      ];
      const more = {
        adds: [fileOf("rain/theirs", null, 3)],
        removes: [`rain/${a}`, "rain/unknown"],
        columns,
        batch: 40,
      };
      await ledger.tables.follow("inmet", "rain", followed(5, more));
      expect(await state()).toMatchObject({ columns, version: 5, change: 2, files: [{ key: "rain/theirs", rows: 3 }] });
      expect(await ledger.knows(`rain/${a}`)).toBe(true);
      // A version alone is no change.
      await ledger.tables.follow("inmet", "rain", followed(6, { columns, batch: 3 }));
      expect(await ledger.tables.lastBatch("inmet", "rain")).toBe(40);
      expect(await state()).toMatchObject({ version: 6, change: 2 });
      // A version was restored: whose rows these are is known.
      const restored = followed(7, { columns, adds: [fileOf(`rain/${a}`, null)], removes: ["rain/theirs"] });
      await ledger.tables.follow("inmet", "rain", restored);
      expect((await state())?.files).toMatchObject([{ key: `rain/${a}`, parts: [{ run: a, root: a, fileNumber: 1 }] }]);
      await subject.load("b");
      expect((await pending()).map(({ batch }) => batch)).toEqual([1, 41]);
      // Numbers are of all tables, but which was the last is known of each.
      expect(await ledger.tables.lastBatch("inmet", "rain")).toBe(41);
      await subject.load("c", { stack: "other" });
      expect(await ledger.tables.lastBatch("inmet", "rain")).toBe(41);
      expect(await ledger.tables.lastBatch("other", "rain")).toBe(42);
      expect(await ledger.tables.lastBatch("other", "none")).toBe(0);
    });

    it("may be new to the ledger", async () => {
      await subject.ledger.tables.follow("inmet", "rain", followed(2, { adds: [fileOf("rain/theirs", null)] }));
      expect(await state()).toMatchObject({ version: 2, change: 1, location: "/lake/rain", files: [{ rows: 2 }] });
      await subject.load("a");
      expect(await keys()).toHaveLength(2);
    });
  });
}

const same = (key: string) => ({
  stack: "inmet",
  store: "fs:inmet/input",
  version: "1",
  name: "rain.csv",
  bytes: 7,
  sha256: `hash of ${key}`,
});
