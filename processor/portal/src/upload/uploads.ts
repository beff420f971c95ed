import { useSyncExternalStore } from "react";
import { type Receiver, sendFile } from "./send.ts";

export type Progress =
  | { at: "waiting" }
  | { at: "sending"; share: number }
  | { at: "received"; run: string }
  | { at: "known"; run: string }
  | { at: "failed"; error: unknown };

/** A file on its way to a stack. */
export interface FileUpload {
  id: number;
  stack: Receiver;
  file: File;
  progress: Progress;
}

// Outside React: an upload goes on while another view is shown.
let uploads: readonly FileUpload[] = [];
const listeners = new Set<() => void>();
const aborts = new Map<number, AbortController>();
let lastId = 0;
let queue: Promise<unknown> = Promise.resolve();

function put(next: readonly FileUpload[]) {
  uploads = next;
  listeners.forEach((listener) => listener());
}

function report(id: number, progress: Progress) {
  put(uploads.map((upload) => (upload.id === id ? { ...upload, progress } : upload)));
}

async function send({ id, stack, file }: FileUpload, again: boolean): Promise<Progress> {
  const abort = aborts.get(id);
  if (abort === undefined) return { at: "waiting" };
  report(id, { at: "sending", share: 0 });
  const onProgress = (sent: number, total: number) => report(id, { at: "sending", share: sent / total });
  try {
    const { upload, known } = await sendFile(stack, file, again, { onProgress, signal: abort.signal });
    return { at: known ? "known" : "received", run: upload.id };
  } catch (error) {
    return { at: "failed", error };
  }
}

function enqueue(upload: FileUpload, again: boolean): Promise<Progress> {
  aborts.set(upload.id, new AbortController());
  // One at a time: two large files side by side would only share the line.
  const done = queue.then(async () => {
    const progress = await send(upload, again);
    aborts.delete(upload.id);
    report(upload.id, progress);
    return progress;
  });
  queue = done;
  return done;
}

/** Sends files one after the other. Resolves when all were received or refused. */
export function sendFiles({ name, direct }: Receiver, files: readonly File[]): Promise<Progress[]> {
  const added = files.map((file): FileUpload => ({
    id: ++lastId,
    stack: { name, direct },
    file,
    progress: { at: "waiting" },
  }));
  put([...added, ...uploads.filter(({ progress }) => progress.at === "waiting" || progress.at === "sending")]);
  return Promise.all(added.map((upload) => enqueue(upload, false)));
}

/** Sends a file once more: because it failed, or (`again`) although its content was loaded before. */
export function resend(id: number, again: boolean): Promise<Progress> {
  const upload = uploads.find((upload) => upload.id === id);
  if (upload === undefined) throw new Error(`There is no upload ${id}.`);
  report(id, { at: "waiting" });
  return enqueue(upload, again);
}

/** Takes a file off the list; one that is being sent is stopped. */
export function dismiss(id: number) {
  aborts.get(id)?.abort();
  aborts.delete(id);
  put(uploads.filter((upload) => upload.id !== id));
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** The files on their way to a stack, and what became of the last ones. */
export const useUploads = (stack: string) =>
  useSyncExternalStore(subscribe, () => uploads).filter((upload) => upload.stack.name === stack);
