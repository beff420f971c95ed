-- What version 3 of the schema held, written by the code of that time: two files loaded, one of them run again, a third queued.
PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE duplicates (
    store TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    root TEXT NOT NULL REFERENCES sources (root),
    PRIMARY KEY (store, key, version)
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
INSERT INTO "files" VALUES('inmet','rain','rain/part-00001-20260101t000009-8983ddaa1704.parquet','20260101t000009-8983ddaa1704',10,99);
INSERT INTO "files" VALUES('inmet','rain','rain/part-00001-20260101t000017-f4bc07494ae0.parquet','20260101t000017-f4bc07494ae0',10,99);
INSERT INTO "files" VALUES('inmet','by_day','by_day/part-00001-20260101t000017-f4bc07494ae0.parquet','20260101t000017-f4bc07494ae0',10,99);
CREATE TABLE idempotency_keys (
    stack TEXT NOT NULL,
    key TEXT NOT NULL,
    -- What was asked for: the kind of run and the content.
    request TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (id),
    PRIMARY KEY (stack, key)
  ) STRICT, WITHOUT ROWID;
CREATE TABLE "loose" (
    stack TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('input', 'lake')),
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (stack, role, key, version)
  ) STRICT, WITHOUT ROWID;
INSERT INTO "loose" VALUES('inmet','lake','by_day/part-00001-20260101t000001-e0cb4daced27.parquet','');
INSERT INTO "loose" VALUES('inmet','lake','by_day/part-00001-20260101t000009-8983ddaa1704.parquet','');
INSERT INTO "loose" VALUES('inmet','lake','rain/part-00001-20260101t000001-e0cb4daced27.parquet','');
CREATE TABLE outputs (
    run TEXT NOT NULL REFERENCES runs (id),
    kind TEXT NOT NULL CHECK (kind IN ('table', 'csv')),
    name TEXT NOT NULL,
    location TEXT NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (run, location)
  ) STRICT;
INSERT INTO "outputs" VALUES('20260101t000001-e0cb4daced27','table','rain','/lake/rain',9,99);
INSERT INTO "outputs" VALUES('20260101t000001-e0cb4daced27','table','by_day','/lake/by_day',9,99);
INSERT INTO "outputs" VALUES('20260101t000001-e0cb4daced27','csv','rain','/out/rain.csv',3,4);
INSERT INTO "outputs" VALUES('20260101t000009-8983ddaa1704','table','rain','/lake/rain',10,99);
INSERT INTO "outputs" VALUES('20260101t000009-8983ddaa1704','table','by_day','/lake/by_day',10,99);
INSERT INTO "outputs" VALUES('20260101t000009-8983ddaa1704','csv','rain','/out/rain.csv',3,4);
INSERT INTO "outputs" VALUES('20260101t000017-f4bc07494ae0','table','rain','/lake/rain',10,99);
INSERT INTO "outputs" VALUES('20260101t000017-f4bc07494ae0','table','by_day','/lake/by_day',10,99);
INSERT INTO "outputs" VALUES('20260101t000017-f4bc07494ae0','csv','rain','/out/rain.csv',3,4);
CREATE TABLE "runs" (
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
INSERT INTO "runs" VALUES(1,'20260101t000001-e0cb4daced27','20260101t000001-e0cb4daced27','inmet','load','done',NULL,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,60.0,1,'csv',NULL,NULL,'["day"]',10,9,1,'rejected-rows/20260101t000001-e0cb4daced27-1.parquet',NULL,'2026-01-01T00:00:01.000Z','2026-01-01T00:00:03.000Z','2026-01-01T00:00:04.000Z','2026-01-01T00:00:08.000Z');
INSERT INTO "runs" VALUES(2,'20260101t000009-8983ddaa1704','20260101t000009-8983ddaa1704','inmet','load','done',NULL,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,60.0,1,'csv',NULL,NULL,'["day"]',10,10,0,NULL,NULL,'2026-01-01T00:00:09.000Z','2026-01-01T00:00:11.000Z','2026-01-01T00:00:12.000Z','2026-01-01T00:00:16.000Z');
INSERT INTO "runs" VALUES(3,'20260101t000017-f4bc07494ae0','20260101t000001-e0cb4daced27','inmet','rerun','done',NULL,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,60.0,1,'csv',NULL,NULL,'["day"]',10,10,0,NULL,NULL,'2026-01-01T00:00:17.000Z','2026-01-01T00:00:19.000Z','2026-01-01T00:00:20.000Z','2026-01-01T00:00:24.000Z');
INSERT INTO "runs" VALUES(4,'20260101t000025-074a617b4439','20260101t000025-074a617b4439','inmet','load','queued',NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,0,0,0,NULL,NULL,'2026-01-01T00:00:25.000Z',NULL,NULL,NULL);
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
    committed_run TEXT, again INTEGER NOT NULL DEFAULT 0,
    UNIQUE (store, key, version)
  ) STRICT;
INSERT INTO "sources" VALUES(1,'20260101t000001-e0cb4daced27','inmet','fs:i','a','1','a.csv',7,'hash of a','2026-01-01T00:00:01.000Z',NULL,NULL,'20260101t000017-f4bc07494ae0',0);
INSERT INTO "sources" VALUES(2,'20260101t000009-8983ddaa1704','inmet','fs:i','b','1','b.csv',7,'hash of b','2026-01-01T00:00:09.000Z',NULL,NULL,'20260101t000009-8983ddaa1704',0);
INSERT INTO "sources" VALUES(3,'20260101t000025-074a617b4439','inmet','fs:i','c','1','c.csv',7,'hash of c','2026-01-01T00:00:25.000Z',NULL,NULL,NULL,0);
CREATE TABLE steps (
    run TEXT NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    PRIMARY KEY (run, position)
  ) STRICT, WITHOUT ROWID;
CREATE TABLE tables (
    stack TEXT NOT NULL,
    name TEXT NOT NULL,
    columns TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (stack, name)
  ) STRICT, WITHOUT ROWID;
INSERT INTO "tables" VALUES('inmet','by_day','[{"name":"day","type":"DATE"}]','2026-01-01T00:00:23.000Z');
INSERT INTO "tables" VALUES('inmet','rain','[{"name":"day","type":"DATE"}]','2026-01-01T00:00:22.000Z');
CREATE INDEX sources_by_content ON sources (stack, sha256);
CREATE INDEX sources_by_key ON sources (key);
CREATE INDEX sources_by_moved_key ON sources (moved_key) WHERE moved_key IS NOT NULL;
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
CREATE INDEX loose_by_key ON loose (key);
COMMIT;
PRAGMA user_version = 3;
