import { Delivery } from "@cais/spec/api.ts";
import { RunEnding } from "@cais/spec/sinks.ts";
import { z } from "zod";
import type { DeliveryLedger } from "../index.ts";
import type { Connection } from "./connection.ts";
import { forgetLoose, noteLoose } from "./loose.ts";

interface Parts {
  connection: Connection;
  now: () => Date;
}

const COLUMNS = `id, stack, sink, kind, name, run, payload_key AS payloadKey, state, attempts, retry_at AS retryAt, error,
  rows, bytes, can_double AS canDouble, added_at AS addedAt, delivered_at AS deliveredAt`;

const WAITING = "state IN ('pending', 'retrying')";

/** As the index of those in the queue has it. */
const OPEN = "state IN ('pending', 'delivering', 'retrying')";

/** Not behind one of its sink that is not done, where that matters. */
const IN_TURN = `${OPEN} AND (any_order = 1 OR id IN (SELECT min(id) FROM deliveries WHERE ${OPEN} GROUP BY stack, sink))`;

const Depth = z.object({ stack: z.string(), sink: z.string(), waiting: z.number(), oldestAt: z.string() });

/** What was delivering when a process ended is tried again by the next one. */
export const releaseDeliveries = ({ sql, write }: Connection) =>
  write(() => sql("UPDATE deliveries SET state = 'pending' WHERE state = 'delivering'").run());

/** The deliveries of a run, in order. */
export const deliveriesOf = ({ sql }: Connection, run: string): Delivery[] =>
  sql(`SELECT ${COLUMNS} FROM deliveries WHERE run = ? ORDER BY id`)
    .all(run)
    .map((row) => Delivery.parse({ ...row }));

export function deliveries({ connection, now }: Parts): DeliveryLedger {
  const { sql, write } = connection;
  const listeners: (() => void)[] = [];
  const added = () => listeners.forEach((listener) => listener());

  function find(id: number | bigint): Delivery | undefined {
    const row = sql(`SELECT ${COLUMNS} FROM deliveries WHERE id = ?`).get(id);
    return row && Delivery.parse({ ...row });
  }

  function byId(id: number | bigint): Delivery {
    const found = find(id);
    if (found === undefined) throw new Error(`The ledger has no delivery ${id}.`);
    return found;
  }

  /** What is done or given up needs its payload no more. */
  function dropPayload({ id, stack, payloadKey }: Delivery): void {
    if (payloadKey === null) return;
    noteLoose(connection, { stack, role: "lake", key: payloadKey });
    sql("UPDATE deliveries SET payload_key = NULL WHERE id = ?").run(id);
  }

  return {
    async add(delivery) {
      const { stack, sink, kind, name, run, payloadKey, rows, bytes, canDouble, supersedes = false } = delivery;
      const { ending = null, anyOrder = false } = delivery;
      const { id, isNew } = await write(() => {
        const known = sql("SELECT id FROM deliveries WHERE run = ? AND sink = ? AND ending IS ?").get(
          run,
          sink,
          ending,
        );
        if (known !== undefined) return { id: Number(known["id"]), isNew: false };
        if (supersedes) {
          const before = sql(
            `SELECT ${COLUMNS} FROM deliveries WHERE stack = ? AND sink = ? AND (${WAITING} OR state = 'failed')`,
          ).all(stack, sink);
          for (const row of before) {
            const earlier = Delivery.parse({ ...row });
            sql("UPDATE deliveries SET state = 'superseded', retry_at = NULL WHERE id = ?").run(earlier.id);
            dropPayload(earlier);
          }
        }
        if (payloadKey !== null) forgetLoose(connection, { stack, role: "lake", key: payloadKey });
        const { lastInsertRowid } = sql(
          `INSERT INTO deliveries (stack, sink, kind, name, run, ending, any_order, payload_key, state, rows, bytes,
             can_double, added_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?)`,
        ).run(
          stack,
          sink,
          kind,
          name,
          run,
          ending,
          Number(anyOrder),
          payloadKey,
          rows,
          bytes,
          canDouble,
          now().toISOString(),
        );
        return { id: Number(lastInsertRowid), isNew: true };
      });
      if (isNew) added();
      return byId(id);
    },

    async due(limit) {
      // A clock that shows an earlier time than when the wait was said has been set back.
      return sql(
        `SELECT ${COLUMNS} FROM deliveries WHERE id IN (
           SELECT min(id) FROM deliveries
           WHERE ${WAITING} AND ${IN_TURN} AND (retry_at IS NULL OR retry_at <= ?1 OR retry_said_at > ?1)
           GROUP BY stack, sink)
         AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.stack = deliveries.stack AND d.sink = deliveries.sink
           AND d.state = 'delivering')
         ORDER BY id LIMIT ?2`,
      )
        .all(now().toISOString(), limit)
        .map((row) => Delivery.parse({ ...row }));
    },

    async nextAt() {
      const at = sql(`SELECT min(retry_at) AS at FROM deliveries WHERE state = 'retrying' AND ${IN_TURN}`).get()?.[
        "at"
      ];
      return typeof at === "string" ? new Date(at) : undefined;
    },

    onAdded: (listener) => void listeners.push(listener),

    start: (id) =>
      write(() => {
        const row = sql(
          `UPDATE deliveries SET state = 'delivering', attempts = attempts + 1, retry_at = NULL
           WHERE id = ? AND ${WAITING} RETURNING progress, ending`,
        ).get(id);
        if (row === undefined)
          throw new Error(`The delivery ${id} is ${byId(id).state}, so it cannot be started; take one that is due.`);
        const progress: unknown = row["progress"] === null ? undefined : JSON.parse(String(row["progress"]));
        return { delivery: byId(id), progress, ending: RunEnding.nullable().parse(row["ending"]) ?? undefined };
      }),

    progress: (id, progress) =>
      write(() => {
        sql("UPDATE deliveries SET progress = ? WHERE id = ?").run(JSON.stringify(progress), id);
      }),

    delivered: (id) =>
      write(() => {
        sql(
          "UPDATE deliveries SET state = 'delivered', error = NULL, progress = NULL, delivered_at = ? WHERE id = ? AND state = 'delivering'",
        ).run(now().toISOString(), id);
        const delivery = byId(id);
        if (delivery.state === "delivered") dropPayload(delivery);
        return byId(id);
      }),

    retry: (id, { at, error, counts = true }) =>
      write(() => {
        sql(
          `UPDATE deliveries SET state = 'retrying', retry_at = ?, retry_said_at = ?, error = ?, attempts = attempts - ?
           WHERE id = ? AND state = 'delivering'`,
        ).run(at.toISOString(), now().toISOString(), error, Number(!counts), id);
        return byId(id);
      }),

    failed: (id, error) =>
      write(() => {
        sql(
          "UPDATE deliveries SET state = 'failed', retry_at = NULL, error = ? WHERE id = ? AND state = 'delivering'",
        ).run(error, id);
        return byId(id);
      }),

    superseded: (id) =>
      write(() => {
        sql("UPDATE deliveries SET state = 'superseded', retry_at = NULL WHERE id = ? AND state = 'delivering'").run(
          id,
        );
        const delivery = byId(id);
        if (delivery.state === "superseded") dropPayload(delivery);
        return byId(id);
      }),

    async again(id) {
      const again = await write(() => {
        const { changes } = sql(
          `UPDATE deliveries SET state = 'pending', retry_at = NULL, attempts = 0
           WHERE id = ? AND state IN ('retrying', 'failed')`,
        ).run(id);
        return changes === 1 ? byId(id) : undefined;
      });
      if (again !== undefined) added();
      return again;
    },

    async releaseAll() {
      await write(() =>
        sql("UPDATE deliveries SET state = 'pending', attempts = attempts - 1 WHERE state = 'delivering'").run(),
      );
    },

    async get(id) {
      return find(id);
    },

    async list({ stack, stacks, state, run, sink, before, limit }) {
      return sql(
        `SELECT ${COLUMNS} FROM deliveries
         WHERE (:stack IS NULL OR stack = :stack) AND (:stacks IS NULL OR stack IN (SELECT value FROM json_each(:stacks)))
           AND (:state IS NULL OR state = :state) AND (:run IS NULL OR run = :run) AND (:sink IS NULL OR sink = :sink)
           AND (:before IS NULL OR id < :before)
         ORDER BY id DESC LIMIT :limit`,
      )
        .all({
          stack: stack ?? null,
          stacks: stacks === undefined ? null : JSON.stringify(stacks),
          state: state ?? null,
          run: run ?? null,
          sink: sink ?? null,
          before: before ?? null,
          limit,
        })
        .map((row) => Delivery.parse({ ...row }));
    },

    async depth() {
      return sql(
        `SELECT stack, sink, count(*) AS waiting, min(added_at) AS oldestAt FROM deliveries
         WHERE state IN ('pending', 'delivering', 'retrying') GROUP BY stack, sink ORDER BY stack, sink`,
      )
        .all()
        .map((row) => Depth.parse({ ...row }));
    },
  };
}
