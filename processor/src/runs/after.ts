import { ObjectKey } from "@cais/spec/names.ts";
import type { TakenRun } from "../ledger/index.ts";
import type { ObjectStore } from "../object-store/index.ts";
import type { Session } from "./attempt.ts";

/** Where a file is kept once all of its rows are in the tables. By its first run, since keys may be used again. */
export function archiveKey(root: string, key: string): string {
  const whole = `archive/${root}/${key}`;
  // Others may use keys that are as long as keys may be.
  return ObjectKey.safeParse(whole).success ? whole : `archive/${root}/file`;
}

/** The first run of the file that a key in the archive is of; undefined: it is no such key. */
export const archivedRoot = (key: string): string | undefined => /^archive\/([^/]+)\/./.exec(key)?.[1];

/**
 * Archives or deletes a file of which nothing is open any more, if the stack asks for it. The ledger notes what is left
 * behind as loose before it is deleted, so a crash in between leaves nothing.
 */
export async function moveSource(
  { stack, ledger, step }: Pick<Session, "stack" | "ledger" | "step">,
  run: TakenRun,
): Promise<void> {
  const { after } = stack.config.stack.source.upload;
  if (after === "keep" || (await ledger.open(run.fileRoot)) !== undefined) return;
  const source = await ledger.source(run.id);
  // A file that was moved has no version any more.
  if (source === undefined || source.deleted || source.version === null) return;
  const { key: from, version } = source;
  await step([run], `after/${after}`, async () => {
    const { input } = stack;
    // What lies there now may be another file, which has a run of its own.
    const isThis = async () => (await input.head(from))?.version === version;
    if (after === "archive" && (await isThis())) {
      const key = archiveKey(run.fileRoot, from);
      // Noted before it is there: garbage is what nobody knows.
      const copied = { stack: run.stack, role: "input", key } as const;
      await ledger.loose.note(copied);
      if (!(await copy(input, from, key, run.file.sha256))) return ledger.loose.forget(copied);
      await ledger.moved(run.fileRoot, key);
    } else if (after === "delete") await ledger.moved(run.fileRoot, null);
    else return;
    // Asked again, since a copy takes its time and others write there.
    if (await isThis()) await input.delete(from);
    await ledger.loose.forget({ stack: run.stack, role: "input", key: from, version });
  });
}

/** Copies an object if it is the one that is meant. */
async function copy(input: ObjectStore, from: string, to: string, sha256: string): Promise<boolean> {
  const content = await input.get(from);
  if (content === undefined) return false;
  const stored = await input.put(to, content);
  if (stored.sha256 === sha256) return true;
  await input.delete(to);
  return false;
}
