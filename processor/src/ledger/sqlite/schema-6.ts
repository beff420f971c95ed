/** The sixth migration: what tells a restored ledger from the newest one, table by table, and what was asked for with an upload. */
export const restores = `
  -- The number of the last commit that changed the table; of before it was kept, no more than that of all tables.
  ALTER TABLE tables ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
  UPDATE tables SET batch = (SELECT last FROM batches);
  -- JSON; null: it is no upload.
  ALTER TABLE loose ADD COLUMN asked TEXT;
  `;
