import type { ConfirmedUpload, Run, TempUpload, Upload } from "@cais/spec/api.ts";
import { address, authorization, refusal, request } from "../api/request.ts";
import { storedToken } from "../token/token.ts";

export interface SendOptions {
  /** Bytes sent so far, with the few that frame the file, of the total. */
  onProgress: (sent: number, total: number) => void;
  signal: AbortSignal;
}

export interface Sent {
  upload: Upload;
  /** The same content was loaded before: `upload.id` is the first run's, and nothing was loaded again. */
  known: boolean;
}

/** A stack as far as sending goes. `direct`: its store takes files itself. */
export interface Receiver {
  name: string;
  direct: boolean;
}

/** Smaller files gain nothing by going straight to the store, which takes two more requests. */
const LARGE = 16 << 20;
/** A store takes no more in one request: https://docs.openstack.org/swift/latest/api/large_objects.html */
const MOST = 5 * 2 ** 30;

/** Sends a file to a stack; `again` loads it although the same content was loaded before. Throws as `post` does. */
export async function sendFile(to: Receiver, file: File, again: boolean, options: SendOptions): Promise<Sent> {
  const stack = `v1/stacks/${encodeURIComponent(to.name)}`;
  if (to.direct && !again && file.size >= LARGE && file.size <= MOST) {
    const sent = await sendStraight(stack, file, options);
    if (sent !== undefined) return sent;
  }
  const path = `${stack}/files${again ? "?again=true" : ""}`;
  const { status, body } = await post(path, file, options);
  return { upload: JSON.parse(body), known: status === 200 };
}

/** Sends the corrected rows of a run's file, and gives the replay that was queued. Throws as `post` does. */
export async function sendCorrection(run: string, file: File, options: SendOptions): Promise<Run> {
  const { body } = await post(`v1/runs/${encodeURIComponent(run)}/replays`, file, options);
  return JSON.parse(body);
}

/**
 * Puts a file straight into the stack's store, and says so to the API. Undefined if the store does not take it: its container
 * does not name this page as an origin, it is full, or it is not to be reached from here. Then the API takes it, or says why not.
 */
async function sendStraight(stack: string, file: File, options: SendOptions): Promise<Sent | undefined> {
  const { signal } = options;
  const offer = `${stack}/uploads?name=${encodeURIComponent(file.name)}&seconds=86400`;
  const { url, confirm }: TempUpload = await (await request(offer, signal, "POST")).json();
  const put = await exchange("PUT", url, {}, file, options).catch((error: unknown) => {
    if (error instanceof TypeError) return undefined;
    throw error;
  });
  if (put?.status !== 201) return undefined;
  const { known, ...upload }: ConfirmedUpload = await (await request(confirm.slice(1), signal, "POST")).json();
  return { upload, known };
}

/**
 * Posts a file as a form. Throws `Refused` when the API does not take it, `TypeError` (as fetch does) when it cannot be
 * reached and the signal's reason when aborted.
 */
async function post(path: string, file: File, options: SendOptions): Promise<Answer> {
  const token = storedToken();
  const form = new FormData();
  form.append("file", file);
  const answer = await exchange("POST", address(path), authorization(token), form, options);
  const { status, statusText, body } = answer;
  if (status !== 200 && status !== 202) throw refusal(status, statusText, body, token);
  return answer;
}

interface Answer {
  status: number;
  statusText: string;
  body: string;
}

/** fetch tells nothing about how much of a request was sent; XMLHttpRequest does. */
function exchange(
  method: "POST" | "PUT",
  url: string,
  headers: Record<string, string>,
  body: FormData | File,
  { onProgress, signal }: SendOptions,
): Promise<Answer> {
  const xhr = new XMLHttpRequest();
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  xhr.open(method, url);
  for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
  xhr.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded, total));
  xhr.addEventListener("error", () => reject(new TypeError("The connection was lost.")));
  xhr.addEventListener("abort", () => reject(signal.reason));
  xhr.addEventListener("load", () =>
    resolve({ status: xhr.status, statusText: xhr.statusText, body: xhr.responseText }),
  );
  signal.throwIfAborted();
  signal.addEventListener("abort", () => xhr.abort(), { once: true });
  xhr.send(body);
  return promise;
}
