import type { How, Run, TableColumn } from "@cais/spec/api.ts";

/** Rows of a data file that came in by one run: all of one received file that the data file holds. */
export interface Part {
  /** The run that brought them; null: another program wrote them. */
  run: string | null;
  /** Counted from 0, in the order of the data file. */
  firstRow: number;
  rows: number;
}

/** One Parquet file of a table, by its key in the lake. */
export interface TableFile {
  key: string;
  rows: number;
  bytes: number;
  /** Values of the table's partition columns as Delta writes them; {} for a table without. */
  partition: Record<string, string | null>;
  /** Delta's statistics of the file as JSON; null: none are known. */
  stats: string | null;
  /** In the order of the rows, without gaps. */
  parts: Part[];
}

/** A part of a file that is in a table. */
export interface PresentPart extends Part {
  /** The first run of the received file that its rows are of, and that file's number; null where `run` is. */
  root: string | null;
  fileNumber: number | null;
  /** Whether a rerun of that file is queued, or running and not committed. */
  rerun: boolean;
}

/** A file in a table. */
export interface PresentFile extends TableFile {
  parts: PresentPart[];
}

/** What a table was made by and of when its SQL made it last: the same again may be done with new rows alone. */
export interface Basis {
  /** Digest of its SQL. */
  sql: string;
  disposition: "append" | "replace" | "merge";
  key: string[];
  /** Columns that its SQL gave; others are of other programs. */
  columns: string[];
  /** `content` of each table that its SQL reads, at that commit. */
  sources: Record<string, number>;
}

/** What a table is, without its files. */
export interface TableHead {
  columns: TableColumn[];
  partitionBy: string[];
  /** The table's folder, as runs report it. */
  location: string;
  /** Grows with every change; what `base` of a change names. */
  change: number;
  /** Grows with every change that brings or takes rows: with all but those that only rearrange them. */
  content: number;
  /** null: of before Cais kept it. */
  basis: Basis | null;
  /** The version of its Delta log that is followed or was published last; null: none yet. */
  version: number | null;
  updatedAt: string;
}

/** What a table is made of. */
export interface TableState extends TableHead {
  /** In the order in which they were added. */
  files: PresentFile[];
}

/** What one run's SQL gave for a merge table, kept so that the table can be folded anew. */
export interface NewContribution {
  run: string;
  key: string;
  rows: number;
  bytes: number;
  /** file: takes the place of what earlier runs of the same received file gave. rows: is beside it. */
  scope: "rows" | "file";
}

export interface Contribution extends Omit<NewContribution, "scope"> {
  root: string;
  fileNumber: number;
  /** Whether a rerun of that file is queued, or running and not committed. */
  rerun: boolean;
}

/** One table's part in a commit. */
export interface TableChange {
  name: string;
  columns: TableColumn[];
  partitionBy: string[];
  /** The table's folder, as runs report it. */
  location: string;
  adds: TableFile[];
  /** Keys of files that the state which was read holds, and that are in the table no more. */
  removes: string[];
  /**
   * The table consists of `adds` alone, whatever it held: `removes` are all files that the state had, and what other
   * programs add to the log meanwhile goes too.
   */
  whole?: boolean;
  /** Each run of the commit shows all of `adds` as its output, not only its own parts. Default: where `whole`. */
  shared?: boolean;
  /** `change` of the state that was read; 0 if there was no table. */
  base: number;
  operation: "WRITE" | "MERGE" | "OPTIMIZE";
  how: How;
  /** Runs that gave these show their rows, and not those of the files, as their output. */
  contributions?: NewContribution[];
  /** What the table's next change may build on; `sources` are names of tables. Default: as it was. */
  basis?: Omit<Basis, "sources"> & { sources: string[] };
}

/** Thrown by a commit if a table has changed since its state was read: the work is done again on the new state. */
export class TableChanged extends Error {
  override name = "TableChanged";
}

/** What other programs committed to a table's Delta log. */
export interface Followed {
  /** The newest version of which this tells. */
  version: number;
  adds: TableFile[];
  removes: string[];
  columns: TableColumn[];
  partitionBy: string[];
  location: string;
  /** The newest batch number that the log has of this table: the ledger's next ones are larger. */
  batch?: number;
  /** `change` of the state that this was worked out from; 0 if there was no table. Default: it fits any. */
  base?: number;
}

export interface TableLedger {
  /** A table as the last commit left it; undefined before the first. */
  read(stack: string, name: string): Promise<TableState | undefined>;
  /** The same without its files, however many there are. */
  head(stack: string, name: string): Promise<TableHead | undefined>;
  /** How many files of a table are smaller, and in how many partitions: those of other programs count as their own. */
  smaller(stack: string, name: string, bytes: number): Promise<{ files: number; partitions: number }>;
  /** All tables of a stack, or of all, by stack and name. */
  list(stack?: string): Promise<{ stack: string; name: string }[]>;
  /** Makes a change that is no run's, such as files made into larger ones. Throws TableChanged. */
  change(stack: string, change: TableChange): Promise<void>;
  /** Brings a table in line with its log. Without adds and removes it records the version alone. Throws TableChanged. */
  follow(stack: string, name: string, followed: Followed): Promise<void>;
  /** The batch number of the newest change of a table; 0: none. A log with a larger one was written by a later ledger. */
  lastBatch(stack: string, name: string): Promise<number>;
  /** What a merge table's files gave: by file number, of one file by run. */
  contributions(stack: string, name: string): Promise<Contribution[]>;
  /** Files that are in the table no more, but in versions of its log that may still be read. */
  removed(stack: string, name: string): Promise<{ key: string; removedAt: string }[]>;
  /** Notes removed files as loose: no version that is kept needs them. */
  vacuumed(stack: string, name: string, keys: string[]): Promise<void>;
}

/** A file as a publication adds it. */
export interface PublishedFile extends Omit<TableFile, "parts"> {
  /** When it was committed: milliseconds since 1970. */
  modifiedAt: number;
}

/** A change of a table that its Delta log does not have yet. */
export interface Publication {
  id: number;
  stack: string;
  table: string;
  /** Number of the ledger's transaction: what Delta's `txn` carries. */
  batch: number;
  operation: TableChange["operation"];
  whole: boolean;
  columns: TableColumn[];
  partitionBy: string[];
  adds: PublishedFile[];
  removes: string[];
  /** The runs of the commit. */
  runs: string[];
  at: string;
}

/** Changes of tables on their way into the Delta logs. */
export interface PublicationLedger {
  /** Oldest first. */
  pending(of?: { stack: string; table?: string }): Promise<Publication[]>;
  /**
   * Records that publications are in the log, as this version or before it. `unwritten` are keys of files that one of
   * them added and another removed, so that no version names them: they are noted as loose.
   */
  published(ids: number[], written: { version: number; unwritten?: string[] }): Promise<void>;
  /**
   * Gives publications of a table up, brings it in line with its log, and fails their runs with the reasons: none of them
   * brought anything to it, and all of their files is open. `table` is what changes by that; what the publications added
   * is noted as loose, and what was contributed before them counts again. Throws TableChanged.
   */
  refused(refusals: { id: number; reason: string }[], table: Followed): Promise<void>;
  /** Runs that were refused when they had ended or were to end as done: who is told of ends is to be told of this one. */
  untold(): Promise<Run[]>;
  /** Records that a run is told of. */
  told(run: string): Promise<void>;
}
