import { describe, expect, it } from "vitest";
import { followed, type Subject } from "./subject.ts";

/** What the SQL of a merge table gave for each file. */
export function contributionsConform(subject: Subject): void {
  const loose = async () => (await subject.ledger.loose.all()).map(({ key }) => key);
  const pending = () => subject.ledger.publications.pending({ stack: "inmet", table: "rain" });
  const contribute = async (run: string, scope: "rows" | "file") => {
    const { ledger } = subject;
    const key = `contributions/rain/${run}`;
    await ledger.loose.note({ stack: "inmet", role: "lake", key });
    const change = await subject.change("rain", run, { contributions: [{ run, key, rows: 2, bytes: 9, scope }] });
    await ledger.commit({ stack: "inmet", runs: [run], changes: [change] });
    await ledger.finish(run, { state: "done" });
  };

  describe("a contribution", () => {
    it("is kept by file, and replaced by what a later run of the whole file gives", async () => {
      const { ledger } = subject;
      const [a, b] = [await subject.queue("a"), await subject.queue("b")];
      await contribute(b, "file");
      await subject.next();
      await subject.count(a, 2);
      await contribute(a, "file");
      await subject.next();
      await ledger.finish(b, { state: "done" });
      const replay = (await ledger.requeue({ run: a, kind: "replay" })).id;
      await subject.next();
      await contribute(replay, "rows");
      const given = async () => (await ledger.tables.contributions("inmet", "rain")).map(({ run }) => run);
      expect(await given()).toEqual([a, replay, b]);
      expect((await ledger.tables.contributions("inmet", "rain"))[1]).toEqual({
        run: replay,
        root: a,
        fileNumber: 1,
        rerun: false,
        key: `contributions/rain/${replay}`,
        rows: 2,
        bytes: 9,
      });
      expect(await loose()).toEqual([]);
      expect(await ledger.knows(`contributions/rain/${a}`)).toBe(true);
      const rerun = (await ledger.requeue({ run: a, kind: "rerun" })).id;
      await subject.next();
      await contribute(rerun, "file");
      expect(await given()).toEqual([rerun, b]);
      // Until the log has it, the others may be needed again.
      expect(await loose()).toEqual([]);
      expect(await ledger.knows(`contributions/rain/${a}`)).toBe(true);
      await ledger.publications.published(
        (await pending()).map(({ id }) => id),
        { version: 0 },
      );
      expect(await given()).toEqual([rerun, b]);
      expect((await loose()).toSorted()).toEqual(
        [`contributions/rain/${a}`, `contributions/rain/${replay}`].toSorted(),
      );
    });

    it.each([
      ["what both took the place of is back", [true, true], [0]],
      ["the second stands", [true, false], [2]],
      ["the first stands", [false, true], [1]],
    ])("of a run whose publication is refused does not count: of two reruns, %s", async (_, isRefused, left) => {
      const { ledger } = subject;
      const runs = [await subject.queue("a")];
      await subject.next();
      await contribute(runs[0] ?? "", "file");
      await ledger.publications.published(
        (await pending()).map(({ id }) => id),
        { version: 0 },
      );
      for (let nth = 0; nth < 2; nth++) {
        runs.push((await ledger.requeue({ run: runs[0] ?? "", kind: "rerun" })).id);
        await subject.next();
        await contribute(runs.at(-1) ?? "", "file");
      }
      const queued = await pending();
      for (const [nth, { id }] of queued.entries())
        if (isRefused[nth] === true) await ledger.publications.refused([{ id, reason: "No." }], followed(nth + 1));
        else await ledger.publications.published([id], { version: nth + 1 });
      const given = (await ledger.tables.contributions("inmet", "rain")).map(({ run }) => runs.indexOf(run));
      expect(given).toEqual(left);
      const gone = runs.filter((_run, nth) => !left.includes(nth)).map((run) => `contributions/rain/${run}`);
      expect((await loose()).filter((key) => key.startsWith("contributions/")).toSorted()).toEqual(gone.toSorted());
    });
  });
}
