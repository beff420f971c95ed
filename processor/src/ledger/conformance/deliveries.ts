import { describe, expect, it } from "vitest";
import type { NewDelivery } from "../index.ts";
import type { Subject } from "./subject.ts";

const of = (run: string, more: Partial<NewDelivery> = {}): NewDelivery => ({
  stack: "inmet",
  sink: "0-bi-rain",
  kind: "bi",
  name: "rain",
  run,
  payloadKey: `deliveries/${run}-0.ndjson`,
  rows: 5,
  bytes: 50,
  canDouble: "a POST that broke off",
  ...more,
});

/** What sinks deliver by themselves, after their runs. */
export function deliveriesConform(subject: Subject): void {
  const due = async () => (await subject.ledger.deliveries.due(9)).map(({ id }) => id);
  const loose = async () => (await subject.ledger.loose.all()).map(({ key }) => key);
  const at = (ms: number) => new Date(subject.time + ms);

  describe("a delivery", () => {
    it("is added once per run and sink, and shown with its run", async () => {
      const run = await subject.queue("a");
      const { deliveries, loose: notes } = subject.ledger;
      let calls = 0;
      deliveries.onAdded(() => (calls += 1));
      await notes.note({ stack: "inmet", role: "lake", key: `deliveries/${run}-0.ndjson` });
      const added = await deliveries.add(of(run));
      expect(added).toEqual({
        id: 1,
        stack: "inmet",
        sink: "0-bi-rain",
        kind: "bi",
        name: "rain",
        run,
        payloadKey: `deliveries/${run}-0.ndjson`,
        state: "pending",
        attempts: 0,
        retryAt: null,
        error: null,
        rows: 5,
        bytes: 50,
        canDouble: "a POST that broke off",
        addedAt: expect.stringMatching(/^2026-01-01/),
        deliveredAt: null,
      });
      expect(await deliveries.add(of(run, { rows: 6 }))).toEqual(added);
      expect(calls).toBe(1);
      expect(await loose()).toEqual([]);
      expect(await subject.ledger.knows(`deliveries/${run}-0.ndjson`)).toBe(true);
      await subject.crash();
      expect((await subject.ledger.run(run))?.deliveries).toEqual([added]);
      expect(await subject.ledger.deliveries.get(1)).toEqual(added);
      expect(await subject.ledger.deliveries.get(2)).toBeUndefined();
    });

    it("goes on with the progress that was saved, after a crash too", async () => {
      const run = await subject.queue("a");
      await subject.ledger.deliveries.add(of(run));
      expect(await due()).toEqual([1]);
      expect(await subject.ledger.deliveries.start(1)).toMatchObject({
        delivery: { state: "delivering", attempts: 1 },
        progress: undefined,
      });
      await subject.ledger.deliveries.progress(1, { row: 3 });
      expect(await due()).toEqual([]);
      await subject.crash();
      if (subject.shared) await subject.ledger.deliveries.releaseAll();
      expect(await due()).toEqual([1]);
      expect(await subject.ledger.deliveries.start(1)).toMatchObject({ progress: { row: 3 } });
      await expect(subject.ledger.deliveries.start(1)).rejects.toThrow("The delivery 1 is delivering");
      expect(await subject.ledger.deliveries.delivered(1)).toMatchObject({
        state: "delivered",
        payloadKey: null,
        error: null,
        deliveredAt: expect.stringMatching(/^2026/),
      });
      expect(await loose()).toEqual([`deliveries/${run}-0.ndjson`]);
      expect(await due()).toEqual([]);
      expect(await subject.ledger.deliveries.again(1)).toBeUndefined();
    });

    it("waits for its retry, with those of its sink behind it, and no other", async () => {
      const { deliveries } = subject.ledger;
      const [a, b] = [await subject.queue("a"), await subject.queue("b")];
      await deliveries.add(of(a));
      await deliveries.add(of(b));
      await deliveries.add(of(a, { sink: "1-webhook-hook", kind: "webhook", payloadKey: null }));
      expect(await due()).toEqual([1, 3]);
      await deliveries.start(1);
      expect(await deliveries.retry(1, { at: at(60_000), error: "503" })).toMatchObject({
        state: "retrying",
        attempts: 1,
        error: "503",
      });
      expect(await due()).toEqual([3]);
      expect((await deliveries.nextAt())?.getTime()).toBeGreaterThan(subject.time);
      expect(await deliveries.depth()).toMatchObject([
        { stack: "inmet", sink: "0-bi-rain", waiting: 2 },
        { sink: "1-webhook-hook", waiting: 1 },
      ]);
      subject.time += 60_000;
      expect(await due()).toEqual([1, 3]);
      await deliveries.start(1);
      await deliveries.retry(1, { at: at(60_000), error: "No network.", counts: false });
      expect(await deliveries.get(1)).toMatchObject({ attempts: 1 });
      // The clock is set back: what waits for a far moment is tried.
      subject.time -= 3_600_000;
      expect(await due()).toEqual([1, 3]);
    });

    it("in any order waits for its own retry alone", async () => {
      const { deliveries } = subject.ledger;
      const [a, b] = [await subject.queue("a"), await subject.queue("b")];
      for (const run of [a, b]) await deliveries.add(of(run, { anyOrder: true }));
      await deliveries.start(1);
      expect(await due()).toEqual([]);
      await deliveries.retry(1, { at: at(60_000), error: "503" });
      expect(await due()).toEqual([2]);
      await deliveries.start(2);
      await deliveries.retry(2, { at: at(30_000), error: "503" });
      expect(await due()).toEqual([]);
      expect((await deliveries.nextAt())?.getTime()).toBeLessThan(subject.time + 60_000);
      subject.time += 31_000;
      expect(await due()).toEqual([2]);
      subject.time += 30_000;
      expect(await due()).toEqual([1]);
    });

    it("that tells of a run is added once for each of its ends", async () => {
      const { deliveries } = subject.ledger;
      const run = await subject.queue("a");
      const ids: number[] = [];
      for (const ending of ["done", "failed", "done"] as const)
        ids.push((await deliveries.add(of(run, { payloadKey: null, ending }))).id);
      expect(ids).toEqual([1, 2, 1]);
      expect((await deliveries.start(1)).ending).toBe("done");
      await deliveries.delivered(1);
      expect((await deliveries.start(2)).ending).toBe("failed");
    });

    it("that failed lets the others of its sink go on, and is tried again when asked", async () => {
      const { deliveries } = subject.ledger;
      const [a, b] = [await subject.queue("a"), await subject.queue("b")];
      await deliveries.add(of(a));
      await deliveries.add(of(b));
      await deliveries.start(1);
      expect(await deliveries.failed(1, "400")).toMatchObject({ state: "failed", error: "400", retryAt: null });
      expect(await loose()).toEqual([]);
      expect(await due()).toEqual([2]);
      let calls = 0;
      deliveries.onAdded(() => (calls += 1));
      expect(await deliveries.again(1)).toMatchObject({ state: "pending", attempts: 0, error: "400" });
      expect(calls).toBe(1);
      expect(await due()).toEqual([1]);
      await deliveries.start(1);
      await deliveries.releaseAll();
      expect(await deliveries.get(1)).toMatchObject({ state: "pending", attempts: 0 });
    });

    it("of a whole table takes the place of those that wait or failed, but not of one on its way", async () => {
      const { deliveries } = subject.ledger;
      const runs = [
        await subject.queue("a"),
        await subject.queue("b"),
        await subject.queue("c"),
        await subject.queue("d"),
      ];
      const [a, b, c, d] = runs.map((run) => of(run, { supersedes: true }));
      for (const one of [a, b]) if (one !== undefined) await deliveries.add({ ...one, supersedes: false });
      await deliveries.start(1);
      if (c !== undefined) await deliveries.add(c);
      expect((await deliveries.list({ limit: 9 })).map(({ state }) => state)).toEqual([
        "pending",
        "superseded",
        "delivering",
      ]);
      expect(await loose()).toEqual([`deliveries/${runs[1]}-0.ndjson`]);
      await deliveries.failed(1, "400");
      if (d !== undefined) await deliveries.add({ ...d, sink: "1-bi-rain" });
      expect((await deliveries.get(1))?.state).toBe("failed");
      if (d !== undefined) await deliveries.add(d);
      expect((await deliveries.list({ limit: 9 })).map(({ state }) => state)).toEqual([
        "pending",
        "pending",
        "superseded",
        "superseded",
        "superseded",
      ]);
    });

    it("is given up for a later one while it is delivering, and only then", async () => {
      const { deliveries } = subject.ledger;
      const run = await subject.queue("a");
      await deliveries.add(of(run));
      expect(await deliveries.superseded(1)).toMatchObject({ state: "pending" });
      await deliveries.start(1);
      expect(await deliveries.superseded(1)).toMatchObject({
        state: "superseded",
        payloadKey: null,
        deliveredAt: null,
      });
      expect(await loose()).toEqual([`deliveries/${run}-0.ndjson`]);
      expect(await deliveries.again(1)).toBeUndefined();
    });

    it("is listed newest first, by stack, state, run, sink and page", async () => {
      const { deliveries } = subject.ledger;
      const [a, b] = [await subject.queue("a"), await subject.queue("b", { stack: "other" })];
      await deliveries.add(of(a));
      await deliveries.add(of(b, { stack: "other" }));
      await deliveries.add(of(a, { sink: "1-csv-rain", kind: "csv", canDouble: null }));
      await deliveries.start(1);
      const listed = async (filter: Partial<Parameters<typeof deliveries.list>[0]>) =>
        (await deliveries.list({ limit: 9, ...filter })).map(({ id }) => id);
      expect(await listed({})).toEqual([3, 2, 1]);
      expect(await listed({ stack: "inmet" })).toEqual([3, 1]);
      expect(await listed({ stacks: ["other"] })).toEqual([2]);
      expect(await listed({ stacks: [] })).toEqual([]);
      expect(await listed({ state: "delivering" })).toEqual([1]);
      expect(await listed({ run: b })).toEqual([2]);
      expect(await listed({ sink: "1-csv-rain" })).toEqual([3]);
      expect(await listed({ before: 3, limit: 1 })).toEqual([2]);
    });
  });
}
