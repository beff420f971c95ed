/** The fifth migration: what is undone where a table's log refuses a commit, and webhooks that are told of each end of a run. */
export const refusals = `
  -- The run whose contribution takes its place as soon as the table's log has that one.
  ALTER TABLE contributions ADD COLUMN replaced_by TEXT REFERENCES runs (id);
  CREATE INDEX contributions_replaced ON contributions (replaced_by) WHERE replaced_by IS NOT NULL;

  -- The version before let a refusal stand after the whole file was run again.
  UPDATE runs SET refusal = NULL WHERE refusal IS NOT NULL AND EXISTS (
    SELECT 1 FROM runs later WHERE later.root = runs.root AND later.number > runs.number AND later.kind = 'rerun'
      AND later.committed_at IS NOT NULL AND later.refusal IS NULL);
  -- It also kept what a refused run had contributed. That is all there is of a file where it had taken the place of what was
  -- before: there it stays, until the file is run again.
  CREATE TEMP TABLE refused_contributions AS
    SELECT c.stack, c.name, c.run, c.key FROM contributions c JOIN runs r ON r.id = c.run
    WHERE r.refusal IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM outputs o WHERE o.run = c.run AND o.kind = 'table' AND o.name = c.name)
      AND (r.kind = 'load' OR r.kind = 'replay' AND EXISTS (
        SELECT 1 FROM contributions other JOIN runs o ON o.id = other.run
        WHERE other.stack = c.stack AND other.name = c.name AND o.root = r.root AND o.number < r.number));
  INSERT OR IGNORE INTO loose (stack, role, key, version) SELECT stack, 'lake', key, '' FROM refused_contributions;
  DELETE FROM contributions WHERE (stack, name, run) IN (SELECT stack, name, run FROM refused_contributions);
  DROP TABLE refused_contributions;

  -- Runs that were to end, or had ended, otherwise than they did, and of whose end nobody is told yet.
  CREATE TABLE untold_runs (run TEXT PRIMARY KEY REFERENCES runs (id)) STRICT, WITHOUT ROWID;

  CREATE TABLE deliveries_of_endings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stack TEXT NOT NULL,
    sink TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (id),
    -- How the run ended of which it tells; null: it delivers rows.
    ending TEXT,
    -- Whether it is due although those of its sink before it are not done.
    any_order INTEGER NOT NULL,
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
    delivered_at TEXT
  ) STRICT;
  INSERT INTO deliveries_of_endings
    SELECT d.id, d.stack, d.sink, d.kind, d.name, d.run,
      iif(d.kind = 'webhook' AND r.state IN ('done', 'failed', 'quarantined'), r.state, NULL), d.kind = 'webhook', d.payload_key,
      d.state,
      d.attempts, d.retry_at, d.retry_said_at, d.error, d.rows, d.bytes, d.can_double, d.progress, d.added_at,
      d.delivered_at
    FROM deliveries d JOIN runs r ON r.id = d.run
    -- Of a run that goes on, its end is told anew when it comes.
    WHERE NOT (d.kind = 'webhook' AND r.state IN ('queued', 'running') AND d.state IN ('pending', 'delivering', 'retrying'))
    ORDER BY d.id;
  DROP TABLE deliveries;
  ALTER TABLE deliveries_of_endings RENAME TO deliveries;
  CREATE UNIQUE INDEX deliveries_once ON deliveries (run, sink, coalesce(ending, ''));
  CREATE INDEX deliveries_in_queue ON deliveries (stack, sink, id) WHERE state IN ('pending', 'delivering', 'retrying');
  CREATE INDEX deliveries_by_stack ON deliveries (stack, id);
  CREATE INDEX deliveries_by_payload ON deliveries (payload_key) WHERE payload_key IS NOT NULL;
  `;
