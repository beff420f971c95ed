import { Agent, request } from "node:http";

const BOUNDARY = "----cais-bench";

/** A file as a form, ready to be sent. */
export const formOf = (name: string, content: Uint8Array): Buffer =>
  Buffer.concat([
    Buffer.from(
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: text/csv\r\n\r\n`,
    ),
    content,
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ]);

/** How a form says what it is. */
export const formType = `multipart/form-data; boundary=${BOUNDARY}`;

export interface Answer {
  status: number;
  text: string;
  /** Milliseconds from the request's first byte to the answer's last. */
  took: number;
}

export interface Client {
  post(url: string, type: string, body: Uint8Array): Promise<Answer>;
  close(): void;
}

/** Sends requests over as many connections as `concurrency` says, which stay open. */
export function openClient(concurrency: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  return {
    post(url, type, body) {
      const { promise, resolve, reject } = Promise.withResolvers<Answer>();
      const started = performance.now();
      const sent = request(
        url,
        { method: "POST", agent, headers: { "content-type": type, "content-length": body.byteLength } },
        (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, text, took: performance.now() - started }),
          );
          response.on("error", reject);
        },
      );
      sent.on("error", reject);
      sent.end(body);
      return promise;
    },
    close: () => agent.destroy(),
  };
}

/** Does all pieces of work, `concurrency` at a time. */
export async function together<T, R>(items: T[], concurrency: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = items.values();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const item of left) results.push(await work(item));
    }),
  );
  return results;
}
