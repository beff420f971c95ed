import type { Upload } from "@cais/spec/api.ts";
import { address, authorization, refusal } from "../api/request.ts";
import { storedToken } from "../token/token.ts";

export interface Sent {
  upload: Upload;
  /** The same content was loaded before: `upload.id` is the first run's, and nothing was loaded again. */
  known: boolean;
}

export interface SendOptions {
  /** Load it although the same content was loaded before. */
  again: boolean;
  /** Bytes sent so far, with the few that frame the file, of the total. */
  onProgress: (sent: number, total: number) => void;
  signal: AbortSignal;
}

/**
 * Sends a file to a stack. Throws `Refused` when the API does not take it, `TypeError` (as fetch does) when it cannot be
 * reached and the signal's reason when aborted.
 */
export function sendFile(stack: string, file: File, { again, onProgress, signal }: SendOptions): Promise<Sent> {
  // fetch tells nothing about how much of a request was sent; XMLHttpRequest does.
  const token = storedToken();
  const xhr = new XMLHttpRequest();
  const { promise, resolve, reject } = Promise.withResolvers<Sent>();
  xhr.open("POST", address(`v1/stacks/${encodeURIComponent(stack)}/files${again ? "?again=true" : ""}`));
  for (const [name, value] of Object.entries(authorization(token))) xhr.setRequestHeader(name, value);
  xhr.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded, total));
  xhr.addEventListener("error", () => reject(new TypeError("The connection was lost.")));
  xhr.addEventListener("abort", () => reject(signal.reason));
  xhr.addEventListener("load", () => {
    if (xhr.status === 200 || xhr.status === 202)
      resolve({ upload: JSON.parse(xhr.responseText), known: xhr.status === 200 });
    else reject(refusal(xhr.status, xhr.statusText, xhr.responseText, token));
  });
  signal.addEventListener("abort", () => xhr.abort(), { once: true });
  const form = new FormData();
  form.append("file", file);
  xhr.send(form);
  return promise;
}
