import { deltaAndDeliveries } from "./schema-4.ts";
import { refusals } from "./schema-5.ts";
import { restores } from "./schema-6.ts";

/** The ledger's tables. `user_version` numbers the schema; a later one adds its change as the next entry. */
export const migrations = [
  `
  -- Objects that belong to no run: about to be written, or dropped and about to be deleted. What a crash leaves here
  -- was never acknowledged or committed.
  CREATE TABLE loose (
    stack TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('input', 'lake')),
    key TEXT NOT NULL,
    PRIMARY KEY (stack, role, key)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    stack TEXT NOT NULL,
    store TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'quarantined')),
    attempts INTEGER NOT NULL DEFAULT 0,
    rows_read INTEGER NOT NULL DEFAULT 0,
    rows_clean INTEGER NOT NULL DEFAULT 0,
    rows_rejected INTEGER NOT NULL DEFAULT 0,
    rejected_key TEXT,
    error TEXT,
    queued_at TEXT NOT NULL,
    started_at TEXT,
    committed_at TEXT,
    finished_at TEXT,
    UNIQUE (store, key, version),
    CHECK (rows_read = rows_clean + rows_rejected)
  ) STRICT;
  CREATE INDEX runs_by_content ON runs (stack, sha256);
  CREATE INDEX runs_by_state ON runs (state, number);

  CREATE TABLE steps (
    run TEXT NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    PRIMARY KEY (run, position)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE outputs (
    run TEXT NOT NULL REFERENCES runs (id),
    kind TEXT NOT NULL CHECK (kind IN ('table', 'csv')),
    name TEXT NOT NULL,
    location TEXT NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (run, location)
  ) STRICT;

  -- What a table is made of now: what is not listed here is not in it, whatever lies in its folder.
  CREATE TABLE tables (
    stack TEXT NOT NULL,
    name TEXT NOT NULL,
    columns TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (stack, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE files (
    stack TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (id),
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (stack, name, key),
    FOREIGN KEY (stack, name) REFERENCES tables (stack, name)
  ) STRICT;
  `,
  `
  -- A file as received. The runs of one file are its load, which is its root, and the replays and reruns of it.
  CREATE TABLE sources (
    -- The order of receipt.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    root TEXT NOT NULL UNIQUE,
    stack TEXT NOT NULL,
    store TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    received_at TEXT NOT NULL,
    moved_key TEXT,
    deleted_at TEXT,
    -- The last run of it that was committed: what that one refused is open.
    committed_run TEXT,
    UNIQUE (store, key, version)
  ) STRICT;
  INSERT INTO sources (number, root, stack, store, key, version, name, bytes, sha256, received_at, committed_run)
    SELECT number, id, stack, store, key, version, name, bytes, sha256, queued_at, iif(committed_at IS NULL, NULL, id)
    FROM runs ORDER BY number;
  CREATE INDEX sources_by_content ON sources (stack, sha256);
  CREATE INDEX sources_by_key ON sources (key);
  CREATE INDEX sources_by_moved_key ON sources (moved_key) WHERE moved_key IS NOT NULL;

  -- Other objects whose content was answered with a file that was there before.
  CREATE TABLE duplicates (
    store TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    root TEXT NOT NULL REFERENCES sources (root),
    PRIMARY KEY (store, key, version)
  ) STRICT, WITHOUT ROWID;

  -- What senders called their requests.
  CREATE TABLE idempotency_keys (
    stack TEXT NOT NULL,
    key TEXT NOT NULL,
    -- What was asked for: the kind of run and the content.
    request TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (id),
    PRIMARY KEY (stack, key)
  ) STRICT, WITHOUT ROWID;

  -- SQLite cannot drop the old table's UNIQUE (store, key, version): https://sqlite.org/lang_altertable.html, 7.
  CREATE TABLE runs_of_sources (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    root TEXT NOT NULL REFERENCES sources (root),
    stack TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('load', 'replay', 'rerun')),
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'quarantined')),
    sent_by TEXT,
    traceparent TEXT,
    correction_key TEXT,
    correction_bytes INTEGER,
    correction_sha256 TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- When the next attempt may begin, and when that was said: if the clock was set back since, it may begin.
    retry_at TEXT,
    retry_said_at TEXT,
    -- Whose it is while it runs. Each renewal changes the beat.
    worker TEXT,
    lease_seconds REAL,
    beat INTEGER NOT NULL DEFAULT 0,
    format TEXT,
    encoding TEXT,
    delimiter TEXT,
    -- JSON
    header TEXT,
    rows_read INTEGER NOT NULL DEFAULT 0,
    rows_clean INTEGER NOT NULL DEFAULT 0,
    rows_rejected INTEGER NOT NULL DEFAULT 0,
    rejected_key TEXT,
    error TEXT,
    queued_at TEXT NOT NULL,
    started_at TEXT,
    committed_at TEXT,
    finished_at TEXT,
    CHECK (rows_read = rows_clean + rows_rejected)
  ) STRICT;
  INSERT INTO runs_of_sources (number, id, root, stack, kind, state, attempts, rows_read, rows_clean, rows_rejected,
      rejected_key, error, queued_at, started_at, committed_at, finished_at)
    SELECT number, id, id, stack, 'load', iif(state = 'running', 'queued', state), attempts, rows_read, rows_clean,
      rows_rejected, rejected_key, error, queued_at, started_at, committed_at, finished_at
    FROM runs ORDER BY number;
  DROP TABLE runs;
  ALTER TABLE runs_of_sources RENAME TO runs;
  CREATE UNIQUE INDEX runs_one_at_a_time ON runs (root) WHERE state IN ('queued', 'running');
  CREATE INDEX runs_by_root ON runs (root, number);
  CREATE INDEX runs_by_stack ON runs (stack, number);
  CREATE INDEX runs_by_state ON runs (state, number);
  CREATE INDEX runs_in_queue ON runs (stack, number) WHERE state = 'queued';
  CREATE INDEX runs_to_retry ON runs (retry_at) WHERE state = 'queued' AND retry_at IS NOT NULL;
  CREATE INDEX runs_by_rejected_key ON runs (rejected_key) WHERE rejected_key IS NOT NULL;
  CREATE INDEX runs_by_correction ON runs (correction_key) WHERE correction_key IS NOT NULL;
  CREATE INDEX files_by_key ON files (key);
  CREATE INDEX files_by_run ON files (run);

  -- The version of those that lie where others may write too, else ''.
  CREATE TABLE loose_versions (
    stack TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('input', 'lake')),
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (stack, role, key, version)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO loose_versions SELECT stack, role, key, '' FROM loose;
  DROP TABLE loose;
  ALTER TABLE loose_versions RENAME TO loose;
  CREATE INDEX loose_by_key ON loose (key);
  `,
  `
  -- Whether its sender asked for it to be loaded although its content was known.
  ALTER TABLE sources ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
  `,
  deltaAndDeliveries,
  refusals,
  restores,
];
