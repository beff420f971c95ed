import type { Run, Upload } from "@cais/spec/api.ts";
import { address, authorization, refusal } from "../api/request.ts";
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

/** Sends a file to a stack; `again` loads it although the same content was loaded before. Throws as `post` does. */
export async function sendFile(stack: string, file: File, again: boolean, options: SendOptions): Promise<Sent> {
  const path = `v1/stacks/${encodeURIComponent(stack)}/files${again ? "?again=true" : ""}`;
  const { status, body } = await post(path, file, options);
  return { upload: JSON.parse(body), known: status === 200 };
}

/** Sends the corrected rows of a run's file, and gives the replay that was queued. Throws as `post` does. */
export async function sendCorrection(run: string, file: File, options: SendOptions): Promise<Run> {
  const { body } = await post(`v1/runs/${encodeURIComponent(run)}/replays`, file, options);
  return JSON.parse(body);
}

/**
 * Posts a file as a form. Throws `Refused` when the API does not take it, `TypeError` (as fetch does) when it cannot be
 * reached and the signal's reason when aborted.
 */
function post(
  path: string,
  file: File,
  { onProgress, signal }: SendOptions,
): Promise<{ status: number; body: string }> {
  // fetch tells nothing about how much of a request was sent; XMLHttpRequest does.
  const token = storedToken();
  const xhr = new XMLHttpRequest();
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  xhr.open("POST", address(path));
  for (const [name, value] of Object.entries(authorization(token))) xhr.setRequestHeader(name, value);
  xhr.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded, total));
  xhr.addEventListener("error", () => reject(new TypeError("The connection was lost.")));
  xhr.addEventListener("abort", () => reject(signal.reason));
  xhr.addEventListener("load", () => {
    if (xhr.status === 200 || xhr.status === 202) resolve({ status: xhr.status, body: xhr.responseText });
    else reject(refusal(xhr.status, xhr.statusText, xhr.responseText, token));
  });
  signal.addEventListener("abort", () => xhr.abort(), { once: true });
  const form = new FormData();
  form.append("file", file);
  xhr.send(form);
  return promise;
}
