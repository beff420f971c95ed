import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";

/** A Kubernetes API, and who may do anything there. */
export interface Api {
  url: string;
  /** File with its certificate. */
  ca: string;
  token: string;
}

export interface Answer {
  status: number;
  /** What it says besides: that something is deprecated, or that pods will be refused. */
  warnings: string[];
  text: string;
}

/** How the API is called: with a method, a path and an object. */
export type Call = (method: string, path: string, object?: object) => Promise<Answer>;

/** Calls a Kubernetes API. */
export const apiOf =
  ({ url, ca, token }: Api): Call =>
  async (method, path, object) => {
    const certificate = await readFile(ca);
    const headers = {
      Authorization: `Bearer ${token}`,
      "Content-Type": method === "PATCH" ? "application/merge-patch+json" : "application/json",
    };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(url + path, { method, ca: certificate, headers, timeout: 60_000 }, resolve);
      sent.on("error", reject);
      sent.on("timeout", () => sent.destroy(new Error(`${method} ${path} was not answered within a minute`)));
      sent.end(object === undefined ? undefined : JSON.stringify(object));
    });
    const { warning = [] } = answer.headersDistinct;
    const text = Buffer.concat(await answer.toArray()).toString();
    return { status: answer.statusCode ?? 0, warnings: warning, text };
  };
