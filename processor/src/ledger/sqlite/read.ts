import { Run } from "@cais/spec/api.ts";
import { z } from "zod";
import type { Ledger, OpenRows, Source, TakenRun } from "../index.ts";
import type { Connection } from "./connection.ts";
import { deliveriesOf } from "./deliveries.ts";

const FROM = "FROM runs r JOIN sources s ON s.root = r.root";

const OfFile = z.object({
  root: z.string(),
  kind: Run.shape.kind,
  fileNumber: z.number(),
  store: z.string(),
  key: z.string(),
  version: z.string(),
  moved_key: z.string().nullable(),
  deleted_at: z.string().nullable(),
  correction: z.string().nullable(),
  committed_at: z.string().nullable(),
  traceparent: z.string().nullable(),
  received_at: z.string(),
});

const Header = z.array(z.string());

type Answers = Pick<
  Ledger,
  "run" | "runs" | "depth" | "rejectedKey" | "header" | "open" | "corrections" | "source" | "isCommitted" | "received"
>;

/** What can be asked: by everyone, and by the other parts in the middle of a transaction. */
export interface Reads {
  answers: Answers;
  /** A run that is there. */
  byId(id: string): Run;
  taken(id: string): TakenRun;
  /** `open`, at once. */
  openRows(root: string): OpenRows | undefined;
}

export function reads(connection: Connection): Reads {
  const { sql } = connection;

  function openRows(root: string): OpenRows | undefined {
    // Nothing of what a table's log refused is in that table.
    const refused = sql(
      `SELECT (SELECT max(rows_read) FROM runs WHERE root = ?1) AS rows_rejected, rejected_key, header FROM runs
       WHERE root = ?1 AND refusal IS NOT NULL ORDER BY number DESC LIMIT 1`,
    ).get(root);
    const committed =
      refused === undefined
        ? sql(
            `SELECT r.rows_rejected, r.rejected_key, r.header FROM sources s JOIN runs r ON r.id = s.committed_run
             WHERE s.root = ?`,
          ).get(root)
        : undefined;
    const ended =
      refused ??
      committed ??
      sql(
        `SELECT rows_read AS rows_rejected, rejected_key, header, 1 AS uncommitted FROM runs
         WHERE root = ? AND state IN ('failed', 'quarantined') ORDER BY number DESC LIMIT 1`,
      ).get(root);
    if (ended === undefined) return undefined;
    const rows = Number(ended["rows_rejected"]);
    const rejectedKey = textOf(ended["rejected_key"]);
    if (committed !== undefined && (rows === 0 || rejectedKey === null)) return undefined;
    const header = headerOf(ended["header"]);
    // The first version of Cais kept no whole rows.
    const scope = committed !== undefined && header !== null ? "rows" : "file";
    return { scope, rows, rejectedKey, header: header ?? [] };
  }

  function toRun(row: Record<string, unknown>): Run {
    const id = String(row["id"]);
    const root = String(row["root"]);
    const open = openRows(root);
    return Run.parse({
      ...row,
      root: row["kind"] === "load" ? null : root,
      file: { name: row["name"], key: row["moved_key"] ?? row["key"], bytes: row["bytes"], sha256: row["sha256"] },
      rows: { read: row["rows_read"], clean: row["rows_clean"], rejected: row["rows_rejected"] },
      open: open === undefined ? null : { scope: open.scope, rows: open.rows },
      found:
        row["format"] === null
          ? null
          : { format: row["format"], encoding: row["encoding"], delimiter: row["delimiter"] },
      steps: sql(
        "SELECT name, started_at AS startedAt, finished_at AS finishedAt FROM steps WHERE run = ? ORDER BY position",
      ).all(id),
      outputs: sql("SELECT kind, name, location, rows, bytes, how, version FROM outputs WHERE run = ? ORDER BY rowid")
        .all(id)
        .map(outputOf),
      deliveries: deliveriesOf(connection, id),
    });
  }

  const COLUMNS = `r.id, r.root, r.stack, r.kind, r.state, r.sent_by AS "by", r.attempts, r.retry_at AS retryAt, r.format,
    r.encoding, r.delimiter, r.rows_read, r.rows_clean, r.rows_rejected, r.error, r.queued_at AS queuedAt,
    r.started_at AS startedAt, r.finished_at AS finishedAt, s.name, s.key, s.moved_key, s.bytes, s.sha256`;
  const rowOf = (id: string) => sql(`SELECT ${COLUMNS} ${FROM} WHERE r.id = ?`).get(id);

  function byId(id: string): Run {
    const row = rowOf(id);
    if (row === undefined) throw new Error(`The ledger has no run "${id}".`);
    return toRun(row);
  }

  const fileOf = (id: string) => {
    const row = sql(
      `SELECT r.root, r.kind, r.correction_key AS correction, r.committed_at, r.traceparent, s.number AS fileNumber,
         s.store, s.key, s.version, s.moved_key, s.deleted_at, s.received_at ${FROM} WHERE r.id = ?`,
    ).get(id);
    return row && OfFile.parse(row);
  };

  function taken(id: string): TakenRun {
    const file = fileOf(id);
    if (file === undefined) throw new Error(`The ledger has no run "${id}".`);
    const { root, fileNumber, correction, committed_at, traceparent, received_at: receivedAt } = file;
    const own = { fileRoot: root, fileNumber, source: sourceOf(file), receivedAt, correction, traceparent };
    return { ...byId(id), ...own, committed: committed_at !== null };
  }

  const answers: Answers = {
    async run(id) {
      const row = rowOf(id);
      return row && toRun(row);
    },
    async runs({ stack, stacks, state, kind, root, before, limit }) {
      const where = [
        ...(stack === undefined ? [] : ["r.stack = :stack"]),
        ...(stacks === undefined ? [] : ["r.stack IN (SELECT value FROM json_each(:stacks))"]),
        ...(state === undefined ? [] : ["r.state = :state"]),
        ...(kind === undefined ? [] : ["r.kind = :kind"]),
        ...(root === undefined ? [] : ["r.root = :root"]),
        ...(before === undefined ? [] : ["r.number < (SELECT number FROM runs WHERE id = :before)"]),
      ];
      const asked = Object.entries({
        stack,
        stacks: stacks && JSON.stringify(stacks),
        state,
        kind,
        root,
        before,
        limit,
      });
      const values = Object.fromEntries(asked.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
      return sql(
        `SELECT ${COLUMNS} ${FROM} ${where.length === 0 ? "" : `WHERE ${where.join(" AND ")}`}
         ORDER BY r.number DESC LIMIT :limit`,
      )
        .all(values)
        .map(toRun);
    },
    async depth() {
      const row = sql(
        `SELECT (SELECT count(*) FROM runs WHERE state = 'queued') AS queued,
           (SELECT count(*) FROM runs WHERE state = 'running') AS running,
           (SELECT queued_at FROM runs WHERE state = 'queued' ORDER BY number LIMIT 1) AS oldestQueuedAt`,
      ).get();
      return z
        .object({ queued: z.number(), running: z.number(), oldestQueuedAt: z.string().nullable() })
        .parse({ ...row });
    },
    async rejectedKey(id) {
      return textOf(sql("SELECT rejected_key FROM runs WHERE id = ?").get(id)?.["rejected_key"]);
    },
    async header(id) {
      return headerOf(sql("SELECT header FROM runs WHERE id = ?").get(id)?.["header"]);
    },
    async open(root) {
      return openRows(root);
    },
    async corrections(root) {
      return sql(
        `SELECT correction_key AS key FROM runs
         WHERE root = ? AND committed_at IS NOT NULL AND correction_key IS NOT NULL ORDER BY number`,
      )
        .all(root)
        .map(({ key }) => String(key));
    },
    async source(id) {
      const file = fileOf(id);
      return file && sourceOf(file);
    },
    async isCommitted(id) {
      return sql("SELECT 1 FROM runs WHERE id = ? AND committed_at IS NOT NULL").get(id) !== undefined;
    },
    async received({ stack, from, to }) {
      return sql(
        `SELECT root FROM sources WHERE stack = ? AND received_at >= ? AND (?3 IS NULL OR received_at < ?3)
         ORDER BY number`,
      )
        .all(stack, from?.toISOString() ?? "", to?.toISOString() ?? null)
        .map(({ root }) => String(root));
    },
  };
  return { answers, byId, taken, openRows };
}

function sourceOf({ store, key, version, moved_key, deleted_at }: z.output<typeof OfFile>): Source {
  return {
    store,
    key: moved_key ?? key,
    version: moved_key === null ? version : null,
    deleted: deleted_at !== null,
  };
}

/** How and at which version a table was made; sinks have neither. */
function outputOf({ how, version, ...output }: Record<string, unknown>) {
  if (output["kind"] !== "table") return output;
  return { ...output, how: typeof how === "string" ? JSON.parse(how) : null, version };
}

const textOf = (value: unknown) => (typeof value === "string" ? value : null);
const headerOf = (value: unknown) => (typeof value === "string" ? Header.parse(JSON.parse(value)) : null);
