import { rootCertificates } from "node:tls";
import { z } from "zod";
import { StoreUnreachable } from "../index.ts";
import { type Login, readLogin, type SwiftBinding } from "./credential.ts";
import { certificateCode, exchange, passingCode, readText } from "./http.ts";
import { isTransient, pauseBefore, TRIES } from "./retry.ts";

/** A token, and what came with it. */
export interface Grant {
  token: string;
  /** The account's address in Swift, without a slash at its end. */
  storageUrl: string;
  ca: string[] | undefined;
}

/** A cloud's account, with a token that is renewed. */
export interface Session {
  /** Throws StoreUnreachable if there is none to be had. */
  grant(tries?: number): Promise<Grant>;
  /** Says that a token was refused: the next grant has another one. */
  refused(token: string): void;
}

/** A token is renewed when so much of its time is left, or a fifth of it. */
const MARGIN_MS = 300_000;

/** How soon Keystone is asked again for one that it did not give. */
const AGAIN_MS = 15_000;

const Catalog = z.array(
  z.object({
    type: z.string(),
    endpoints: z.array(z.object({ interface: z.string(), region: z.string().nullish(), url: z.string() })),
  }),
);
const Answer = z.object({ token: z.object({ expires_at: z.iso.datetime(), catalog: Catalog.default([]) }) });

const sessions = new Map<string, Session>();

/** The session of a binding; stores of one account share it. */
export function sessionOf(binding: SwiftBinding, dataFolder: string): Session {
  const { container: _, tempUrlKey: __, ...account } = binding;
  const id = JSON.stringify([dataFolder, account]);
  const known = sessions.get(id) ?? openSession(binding, dataFolder);
  sessions.set(id, known);
  return known;
}

function openSession(binding: SwiftBinding, dataFolder: string): Session {
  let known: { grant: Grant; renewAt: number; expiresAt: number } | undefined;
  /** By how often it is tried: who tries once must not have others give up. */
  const asking = new Map<number, Promise<Grant>>();

  async function ask(tries: number): Promise<Grant> {
    const login = await readLogin(binding, dataFolder).catch((error: unknown) => {
      // Until the file is mended nothing can be said of the store.
      throw new StoreUnreachable(error instanceof Error ? error.message : String(error), { cause: error });
    });
    const { grant, expiresAt } = await logIn(login, tries);
    const left = expiresAt - Date.now();
    known = { grant, renewAt: expiresAt - Math.min(MARGIN_MS, left / 5), expiresAt };
    return grant;
  }

  /** While Keystone is away the token that is still valid does. */
  function orTheOld(error: unknown): Grant {
    const now = Date.now();
    if (known === undefined || now >= known.expiresAt) throw error;
    known.renewAt = now + AGAIN_MS;
    return known.grant;
  }

  return {
    async grant(tries = TRIES) {
      if (known !== undefined && Date.now() < known.renewAt) return known.grant;
      const asked = asking.get(tries) ?? ask(tries).finally(() => asking.delete(tries));
      asking.set(tries, asked);
      return asked.catch(orTheOld);
    },
    refused(token) {
      if (known?.grant.token === token) known = undefined;
    },
  };
}

async function logIn(login: Login, tries: number): Promise<{ grant: Grant; expiresAt: number }> {
  const ca = login.ca === undefined ? undefined : [...rootCertificates, login.ca];
  const url = new URL(`${login.authUrl}/auth/tokens`);
  for (let attempt = 1; ; attempt++) {
    let status: number | undefined;
    let cause: unknown;
    try {
      // Keystone under uwsgi closes connections that are kept, without saying so.
      const response = await exchange({ ...requestOf(login), url, agent: false, ca });
      const text = await readText(response, 1 << 24);
      status = response.statusCode ?? 0;
      if (status < 300) return granted(login, text, response.headers["x-subject-token"], ca);
      if (!isTransient(status)) throw refusal(login, status);
    } catch (error) {
      if (status !== undefined || passingCode(error) === undefined) throw wrapped(login, error);
      cause = error;
    }
    if (attempt >= tries)
      throw new StoreUnreachable(
        `Keystone at ${login.authUrl} ${status === undefined ? `cannot be reached (${passingCode(cause)})` : `answers ${status}`}; is it right, and does it run?`,
        { cause },
      );
    await pauseBefore(attempt);
  }
}

function requestOf({ with: how }: Login) {
  if ("token" in how)
    return { method: "GET", headers: { "x-auth-token": how.token, "x-subject-token": how.token } } as const;
  const body = Buffer.from(JSON.stringify(how));
  return {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: { bytes: body.length, open: () => once(body) },
  } as const;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function refusal(login: Login, status: number): Error {
  const what = "token" in login.with ? "the token" : "the credential";
  if (status === 401 || status === 404)
    return new StoreUnreachable(
      `Keystone at ${login.authUrl} refuses ${what} in ${login.from} (${status}); it is wrong, expired or revoked: put a valid one there.`,
    );
  if (status < 400)
    return new StoreUnreachable(
      `Keystone at ${login.authUrl} answers ${status}, which sends elsewhere; correct authUrl.`,
    );
  return new StoreUnreachable(
    `Keystone at ${login.authUrl} answers ${status} to ${what} in ${login.from}; are its user and project enabled?`,
  );
}

function wrapped({ authUrl }: Login, error: unknown): unknown {
  if (error instanceof StoreUnreachable) return error;
  const code = certificateCode(error);
  if (code !== undefined)
    return new StoreUnreachable(
      `The certificate of Keystone at ${authUrl} is not trusted (${code}); name its authority in the binding (ca).`,
      { cause: error },
    );
  return error;
}

function granted(login: Login, text: string, header: string | string[] | undefined, ca: string[] | undefined) {
  const token = "token" in login.with ? login.with.token : header;
  const parsed = Answer.safeParse(jsonOf(text));
  if (typeof token !== "string" || !parsed.success)
    throw new StoreUnreachable(`What answers at ${login.authUrl} is no Keystone v3; correct authUrl.`);
  const { catalog, expires_at: expires } = parsed.data.token;
  const storageUrl = endpointOf(catalog, login);
  return { grant: { token, storageUrl, ca }, expiresAt: Date.parse(expires) };
}

function endpointOf(catalog: z.output<typeof Catalog>, { region, interface: which, from }: Login): string {
  const all = catalog
    .filter(({ type }) => type === "object-store")
    .flatMap(({ endpoints }) => endpoints)
    .filter((endpoint) => endpoint.interface === which);
  const regions = [...new Set(all.map((endpoint) => endpoint.region ?? ""))];
  const found = all.find((endpoint) => region === undefined || endpoint.region === region);
  if (found !== undefined && (region !== undefined || regions.length === 1)) return found.url.replace(/\/+$/, "");
  throw new StoreUnreachable(
    all.length === 0
      ? `The catalog for the credential in ${from} has no ${which} address of an object-store; has the project Swift?`
      : `The catalog has an object-store in ${regions.join(", ")}, ${region === undefined ? "and the binding names no region" : `but not in "${region}"`}; set the region.`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
