import type { Ledger } from "../ledger/index.ts";
import type { ObjectHead, ObjectStore } from "../object-store/index.ts";
import type { OpenStack } from "./stack.ts";

/** An object that is garbage. */
export interface Garbage {
  /** The store's id. */
  store: string;
  key: string;
  bytes: number;
}

const RUN = String.raw`\d{8}t\d{6}-[0-9a-f]{12}`;

/** The keys that Cais writes: what has another form is somebody else's. */
const forms = {
  upload: new RegExp(String.raw`^\d{4}-\d\d-\d\d/${RUN}((\.[a-z0-9]{1,10}(\.gz)?)?|/[^/]+)$`),
  /** Corrections and archived files. */
  kept: new RegExp(String.raw`^(corrections/${RUN}\.csv|archive/${RUN}/.+)$`),
  lake: new RegExp(
    String.raw`^([A-Za-z_]\w{0,62}/part-\d{5}-${RUN}(-\d+)?|(rejected-rows|contributions/[A-Za-z_]\w{0,62})/${RUN}-\d+)\.parquet$|^deliveries/${RUN}-\d+\.[a-z]+$`,
  ),
};

/** What is younger may be on its way into the ledger. */
const MIN_AGE_MS = 3_600_000;

/**
 * Deletes the objects in input stores and lakes that Cais wrote and that the ledger does not know: what a crash may have
 * left. Nothing else: no object younger than an hour, none with a key that Cais does not write, and none in an output
 * store but the pieces of a write that was cut off. Only for stores that no other ledger is about. `dryRun` deletes nothing.
 * Gives what is, or would be, deleted.
 */
export async function collectGarbage(
  { stacks, ledger, now = () => new Date() }: Sources,
  { dryRun }: { dryRun: boolean },
): Promise<Garbage[]> {
  const garbage: Garbage[] = [];
  for (const { config, input, lake, output } of stacks.values()) {
    const before = new Date(now().getTime() - MIN_AGE_MS);
    for (const store of [input, lake, output])
      for (const left of (await store.collect?.({ before, dryRun })) ?? []) garbage.push({ store: store.id, ...left });
    // What lies in a watched store is a file to be claimed, whatever it is called.
    const inputForms = config.events.driver === "in-process" ? [forms.upload, forms.kept] : [forms.kept];
    for (const [store, written] of [[input, inputForms] as const, [lake, [forms.lake]] as const])
      for (const { key, bytes } of await orphans(store, written)) {
        // A list takes its time, and meanwhile a file that was put there directly may be confirmed.
        if (await ledger.knows(key)) continue;
        if (!dryRun) await store.delete(key);
        garbage.push({ store: store.id, key, bytes });
      }
  }
  return garbage;

  async function orphans(store: ObjectStore, written: readonly RegExp[]): Promise<ObjectHead[]> {
    const found: ObjectHead[] = [];
    for await (const object of store.list("")) {
      const age = now().getTime() - object.modifiedAt.getTime();
      if (age < MIN_AGE_MS || !written.some((form) => form.test(object.key))) continue;
      if (!(await ledger.knows(object.key))) found.push(object);
    }
    return found;
  }
}

export interface Sources {
  stacks: ReadonlyMap<string, OpenStack>;
  ledger: Pick<Ledger, "knows">;
  now?: () => Date;
}
