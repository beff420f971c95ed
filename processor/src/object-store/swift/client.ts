import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { StoreFull, StoreUnreachable } from "../index.ts";
import { type Body, certificateCode, exchange, type Outgoing, passingCode, readText } from "./http.ts";
import type { Session } from "./keystone.ts";
import { DAMAGED, isTransient, pauseBefore, TRIES } from "./retry.ts";

/** What is asked of a container, or of an object in it. */
export interface Asked<T> {
  method: Outgoing["method"];
  /** Default: the container. */
  name?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: Body;
  /** How often it is tried. Default: TRIES. */
  tries?: number;
  /** Statuses of 300 and more that are an answer. Any other is an error: a redirection did nothing, and is never followed. */
  accept?: number[];
  /** Makes the answer's body a value. An answer that breaks off meanwhile is asked for again. */
  take(response: IncomingMessage): Promise<T>;
}

export interface Answer<T> {
  status: number;
  headers: IncomingHttpHeaders;
  value: T;
  /** How many tries it took: after the first, an earlier one may have done it. */
  tries: number;
}

/** Speaks to one container of Swift: with a valid token, and again where the network or the server fails for a moment. */
export interface Client {
  container: string;
  /** The container's address. Known once the store is open. */
  address: string;
  ask<T>(asked: Asked<T>): Promise<Answer<T>>;
}

/** Connections to one server that are open at a time. Others wait. */
const SOCKETS = 32;
const agents = {
  "http:": new HttpAgent({ keepAlive: true, maxSockets: SOCKETS }),
  "https:": new HttpsAgent({ keepAlive: true, maxSockets: SOCKETS }),
};
/** For objects, which whoever gets them may read slowly: they must not hold up everything else. */
const readers = { "http:": new HttpAgent({ keepAlive: true }), "https:": new HttpsAgent({ keepAlive: true }) };

export async function openClient(session: Session, container: string): Promise<Client> {
  const { storageUrl } = await session.grant();
  const client: Client = { container, address: `${storageUrl}/${encodeURIComponent(container)}`, ask };

  async function ask<T>(asked: Asked<T>): Promise<Answer<T>> {
    const { tries = TRIES, accept = [], take } = asked;
    let refusals = 0;
    for (let attempt = 1; ; attempt++) {
      const grant = await session.grant(tries);
      client.address = `${grant.storageUrl}/${encodeURIComponent(container)}`;
      let failure: { why: string; hint?: string; cause?: unknown };
      let wait = 0;
      try {
        const response = await exchange(requestOf(asked, client.address, grant));
        const { statusCode: status = 0, headers } = response;
        if (status < 300 || accept.includes(status))
          return { status, headers, value: await take(response), tries: attempt };
        // The answer is a page for people; it is read so that the connection can be used again.
        response.resume();
        if (status === 401 && refusals++ === 0) {
          session.refused(grant.token);
          continue;
        }
        const isDamaged = status === DAMAGED && asked.headers?.["etag"] !== undefined;
        failure = {
          why: `answered with ${status}${transactionOf(headers)}`,
          ...(isDamaged && { hint: "what it sends arrives as something else; look for what changes it on the way to" }),
        };
        const isRace = status === 409 && asked.method === "PUT";
        if (!isTransient(status) && !isRace && !isDamaged) throw errorOf(asked, status, failure.why);
        wait = Number(headers["retry-after"] ?? 0) || 0;
      } catch (error) {
        const code = passingCode(error);
        if (code === undefined) throw untrusted(error) ?? error;
        failure = { why: `not answered (${code})`, cause: error };
      }
      if (attempt >= tries) {
        const { why, hint, cause } = failure;
        const often = tries > 1 ? `, ${tries} times` : "";
        const { origin } = new URL(client.address);
        const what = hint === undefined ? `does Swift run at ${origin}?` : `${hint} ${origin}.`;
        throw new StoreUnreachable(`${described(asked)} was ${why}${often}; ${what}`, { cause });
      }
      await pauseBefore(attempt, wait);
    }
  }

  const described = ({ method, name }: Pick<Asked<unknown>, "method" | "name">) =>
    `${method} of ${name === undefined ? "" : `the object ${JSON.stringify(name)} in `}the Swift container "${container}"`;

  function untrusted(error: unknown): Error | undefined {
    const code = certificateCode(error);
    if (code === undefined) return undefined;
    const { origin } = new URL(client.address);
    return new StoreUnreachable(
      `The certificate of Swift at ${origin} is not trusted (${code}); name its authority in the binding (ca).`,
      { cause: error },
    );
  }

  function errorOf(asked: Asked<unknown>, status: number, why: string): Error {
    const what = `${described(asked)} was ${why}`;
    if (status < 400)
      return new StoreUnreachable(`${what}, which sends elsewhere; correct Swift's address in Keystone's catalog.`);
    switch (status) {
      case 401:
        return new StoreUnreachable(`${what}: Swift does not take Keystone's new token; are both of one cloud?`);
      case 403:
        return new StoreUnreachable(`${what}; give the credential the role and the access rule for it.`);
      case 404:
        return new StoreUnreachable(`${what}; there is no such container, so deploy it again.`);
      case 413:
        return new StoreFull(
          `${what}: a quota of the container or its project is used up, or the object is larger than Swift takes; raise it or delete something.`,
        );
      case 507:
        return new StoreFull(`${what}: the cloud's disks are full; ask who runs it.`);
      default:
        return new Error(`${what}; the cloud's log tells more.`);
    }
  }

  return client;
}

function requestOf(
  { method, name, query = {}, headers = {}, body }: Asked<unknown>,
  address: string,
  { token, ca }: { token: string; ca: string[] | undefined },
): Outgoing {
  const url = new URL(name === undefined ? address : `${address}/${pathOf(name)}`);
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
  const agent = (method === "GET" && name !== undefined ? readers : agents)[
    url.protocol === "https:" ? "https:" : "http:"
  ];
  return { method, url, headers: { ...headers, "x-auth-token": token }, body, agent, ca };
}

/** An object's name as a part of an address. */
export const pathOf = (name: string): string => name.split("/").map(encodeURIComponent).join("/");

/** By this a cloud's operator finds the request. */
function transactionOf(headers: IncomingHttpHeaders): string {
  const id = headers["x-trans-id"];
  return typeof id === "string" && /^[\w-]{1,80}$/.test(id) ? ` (${id})` : "";
}

/** For answers of which the head says all. */
export async function nothing(response: IncomingMessage): Promise<undefined> {
  await readText(response);
}
