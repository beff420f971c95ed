import { timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { StackConfig } from "@cais/spec/bindings.ts";
import { digest } from "../access/tokens.ts";
import { readSecret } from "../secret/index.ts";
import { keyOf, signed } from "../sinks/webhook/signature.ts";

/** Who may tell of the objects in one store. */
export interface Teller {
  /** The stack whose input store it is. */
  stack: string;
  /** The store's name to who tells: its container or bucket, or the folder's path. */
  store: string;
  /** Whether a request comes from someone who has the secret. The same function for all stacks with one secret. */
  knows(request: { headers: IncomingHttpHeaders; body: Uint8Array }): boolean;
}

export type TellingDriver = "webhook" | "radosgw";

/** Standard Webhooks: how far the sender's clock may be off, so that no message is of use for long. */
const TOLERANCE_SECONDS = 300;

/** Below this a password can be guessed, as with tokens. */
const MIN_PASSWORD_LENGTH = 32;

/** Who may tell by each driver. Throws when a secret cannot be read, or can be guessed. */
export async function readTellers(
  stacks: Record<string, StackConfig>,
  dataFolder: string,
  now = Date.now,
): Promise<Record<TellingDriver, Teller[]>> {
  const tellers: Record<TellingDriver, Teller[]> = { webhook: [], radosgw: [] };
  const known = new Map<string, Teller["knows"]>();
  for (const [stack, { events, stores }] of Object.entries(stacks)) {
    if (events.driver !== "webhook" && events.driver !== "radosgw") continue;
    const store = stores.input.driver === "fs" ? stores.input.path : stores.input.container;
    const { path } = events.secret;
    const secret = await readSecret(events.secret, dataFolder);
    const id = `${events.driver}:${path}`;
    const knows = known.get(id) ?? (events.driver === "webhook" ? signedWith(keyOf(secret, path), now) : basic(secret));
    known.set(id, knows);
    tellers[events.driver].push({ stack, store, knows });
  }
  return tellers;
}

/** Standard Webhooks (https://www.standardwebhooks.com): a message may bear several signatures, while a secret is changed. */
function signedWith(key: Uint8Array, now: () => number): Teller["knows"] {
  return ({ headers, body }) => {
    const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
    if (typeof id !== "string" || typeof timestamp !== "string" || typeof signatures !== "string") return false;
    if (!/^\d{1,12}$/.test(timestamp)) return false;
    const at = new Date(Number(timestamp) * 1000);
    if (Math.abs(now() - at.getTime()) > TOLERANCE_SECONDS * 1000) return false;
    const expected = digest(signed(key, { id, at, body: Buffer.from(body).toString() })["webhook-signature"]);
    return signatures.split(" ").some((given) => timingSafeEqual(digest(given), expected));
  };
}

/** HTTP Basic (RFC 7617), which is what radosgw can do: the user of its push address is told, but only the password counts. */
function basic(password: string): Teller["knows"] {
  if (password.length < MIN_PASSWORD_LENGTH)
    throw new Error(
      `The secret of the events by radosgw has ${password.length} characters, too few to be safe; make one with: openssl rand -hex 32`,
    );
  const expected = digest(password);
  return ({ headers }) => {
    const [, given = ""] = /^Basic +(.*)$/i.exec(headers.authorization ?? "") ?? [];
    const pair = Buffer.from(given, "base64").toString();
    return timingSafeEqual(digest(pair.slice(pair.indexOf(":") + 1)), expected);
  };
}
