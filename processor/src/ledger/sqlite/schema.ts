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
];
