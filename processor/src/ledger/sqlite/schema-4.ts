/** The fourth migration: tables with a Delta log, and deliveries. */
export const deltaAndDeliveries = `
  ALTER TABLE tables ADD COLUMN partition_by TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE tables ADD COLUMN location TEXT NOT NULL DEFAULT '';
  -- Of its Delta log, as far as it is published or followed.
  ALTER TABLE tables ADD COLUMN version INTEGER;
  ALTER TABLE tables ADD COLUMN change INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE tables ADD COLUMN content INTEGER NOT NULL DEFAULT 1;
  -- JSON
  ALTER TABLE tables ADD COLUMN basis TEXT;
  UPDATE tables SET location = coalesce((
    SELECT o.location FROM outputs o JOIN runs r ON r.id = o.run
    WHERE o.kind = 'table' AND o.name = tables.name AND r.stack = tables.stack ORDER BY o.rowid DESC LIMIT 1), '');

  -- Which rows of a file came in by which run; null: another program wrote them.
  CREATE TABLE parts (
    file INTEGER NOT NULL REFERENCES files (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    run TEXT REFERENCES runs (id),
    first_row INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    PRIMARY KEY (file, position)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO parts SELECT rowid, 0, run, 0, rows FROM files;
  CREATE TABLE files_of_parts (
    number INTEGER PRIMARY KEY,
    stack TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    -- JSON
    partition TEXT NOT NULL,
    stats TEXT,
    UNIQUE (stack, name, key),
    FOREIGN KEY (stack, name) REFERENCES tables (stack, name)
  ) STRICT;
  INSERT INTO files_of_parts SELECT rowid, stack, name, key, rows, bytes, '{}', NULL FROM files ORDER BY rowid;
  DROP TABLE files;
  ALTER TABLE files_of_parts RENAME TO files;
  CREATE INDEX files_by_key ON files (key);

  -- In no table any more, but in versions of its log that may still be read.
  CREATE TABLE removed_files (
    stack TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    -- JSON: for when another program restores a version.
    parts TEXT NOT NULL,
    removed_at TEXT NOT NULL,
    PRIMARY KEY (stack, name, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX removed_files_by_key ON removed_files (key);

  -- What each run's SQL gave for a merge table.
  CREATE TABLE contributions (
    stack TEXT NOT NULL,
    name TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (id),
    key TEXT NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (stack, name, run)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX contributions_by_key ON contributions (key);

  -- The number of the last commit that changed a table: one row.
  CREATE TABLE batches (last INTEGER NOT NULL) STRICT;
  INSERT INTO batches VALUES (0);

  -- Changes that are not in the tables' Delta logs yet.
  CREATE TABLE publications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stack TEXT NOT NULL,
    name TEXT NOT NULL,
    batch INTEGER NOT NULL,
    operation TEXT NOT NULL,
    whole INTEGER NOT NULL,
    -- JSON
    columns TEXT NOT NULL,
    partition_by TEXT NOT NULL,
    adds TEXT NOT NULL,
    removes TEXT NOT NULL,
    runs TEXT NOT NULL,
    at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX publications_by_table ON publications (stack, name, id);
  -- Why a table's log did not take what the run brought.
  ALTER TABLE runs ADD COLUMN refusal TEXT;

  CREATE TABLE outputs_of_sinks (
    run TEXT NOT NULL REFERENCES runs (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    location TEXT NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    -- JSON
    how TEXT,
    version INTEGER,
    PRIMARY KEY (run, location)
  ) STRICT;
  INSERT INTO outputs_of_sinks SELECT run, kind, name, location, rows, bytes, NULL, NULL FROM outputs ORDER BY rowid;
  DROP TABLE outputs;
  ALTER TABLE outputs_of_sinks RENAME TO outputs;

  CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stack TEXT NOT NULL,
    sink TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (id),
    payload_key TEXT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivering', 'delivered', 'retrying', 'failed', 'superseded')),
    attempts INTEGER NOT NULL DEFAULT 0,
    -- As those of runs.
    retry_at TEXT,
    retry_said_at TEXT,
    error TEXT,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    can_double TEXT,
    -- JSON
    progress TEXT,
    added_at TEXT NOT NULL,
    delivered_at TEXT,
    UNIQUE (run, sink)
  ) STRICT;
  CREATE INDEX deliveries_in_queue ON deliveries (stack, sink, id) WHERE state IN ('pending', 'delivering', 'retrying');
  CREATE INDEX deliveries_by_stack ON deliveries (stack, id);
  CREATE INDEX deliveries_by_payload ON deliveries (payload_key) WHERE payload_key IS NOT NULL;
  `;
