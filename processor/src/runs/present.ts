import { join } from "node:path";
import { mkdir } from "node:fs/promises";
import type { SeenFile } from "../engine/messages.ts";
import type { Ledger, PresentFile, PresentPart, TableHead, TableState } from "../ledger/index.ts";
import { lakeLacks, someAtATime } from "../object-store/fetch-all.ts";
import type { OpenStack } from "./stack.ts";

/** A stack's tables as the ledger has them when a session begins: only its own commit changes them. */
export interface PresentTables {
  head(name: string): Promise<TableHead | undefined>;
  /** With its files, which may be thousands. */
  state(name: string): Promise<TableState | undefined>;
  /** A file's local copy, which must only be read; brought once. */
  bring(file: { key: string }): Promise<string>;
  /** Local copies of files of a table, as SQL is to see them. */
  see(files: KeptFile[]): Promise<SeenFile[]>;
}

/** A file that stays in a table, but for some of its rows. */
export interface KeptFile {
  file: PresentFile;
  /** What stays of it. */
  parts: PresentPart[];
  without: { firstRow: number; rows: number }[];
}

export function presentTables(ledger: Ledger, { config, lake }: OpenStack, folder: string): PresentTables {
  const stack = config.stack.name;
  const heads = new Map<string, Promise<TableHead | undefined>>();
  const states = new Map<string, Promise<TableState | undefined>>();
  const local = new Map<string, Promise<string>>();

  async function fetch(key: string, nth: number): Promise<string> {
    const before = join(folder, "before");
    await mkdir(before, { recursive: true });
    const path = join(before, `${nth}.parquet`);
    if (!(await lake.fetch(key, path))) throw lakeLacks(lake, key);
    return path;
  }

  const bring = ({ key }: { key: string }) => once(local, key, () => fetch(key, local.size));
  return {
    head: (name) => once(heads, name, () => states.get(name) ?? ledger.tables.head(stack, name)),
    state: (name) => once(states, name, () => ledger.tables.read(stack, name)),
    bring,
    see: (files) =>
      someAtATime(files, async ({ file, without }) => ({
        file: await bring(file),
        partition: file.partition,
        without,
      })),
  };
}

function once<T>(map: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const begun = work();
  map.set(key, begun);
  return begun;
}

/** Files with those of their parts that stay. */
export const keptParts = (files: PresentFile[], stays: (part: PresentPart) => boolean): KeptFile[] =>
  files.flatMap((file) => {
    const parts = file.parts.filter(stays);
    const gone = file.parts.filter((part) => !stays(part));
    const without = gone.map(({ firstRow, rows }) => ({ firstRow, rows }));
    return parts.length === 0 && gone.length > 0 ? [] : [{ file, parts, without }];
  });

/** Files without what came of some received files. */
export const keptFiles = (files: PresentFile[], without: ReadonlySet<string>): KeptFile[] =>
  keptParts(files, ({ root }) => root === null || !without.has(root));

/** Files of which all rows stay. */
export const wholeFiles = (files: PresentFile[]): KeptFile[] => keptParts(files, () => true);
