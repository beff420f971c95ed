import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { Action, type CreatedToken, type NewToken, Token, TOKEN_DAYS } from "@cais/spec/access.ts";
import { z } from "zod";
import type { Caller } from "./caller.ts";
import { durably } from "./database.ts";

/** A token that cannot be made as it is asked for; the message says why. */
export class TokenRefused extends Error {
  override name = "TokenRefused";
}

/** The tokens that were given out. Of each only the hash of its secret is kept. */
export interface Tokens {
  /** Makes a token; it is on the disk when this returns. Throws `TokenRefused`. */
  create(asked: NewToken, by: string): CreatedToken;
  /** Newest first, with those that are expired or revoked. */
  list(): Token[];
  /** Takes effect at once, and is on the disk when this returns; undefined if there is no such token. */
  revoke(id: string): Token | undefined;
  /** Who has this token; undefined if it is unknown, expired or revoked. Notes the day. */
  callerOf(token: string): Caller | undefined;
}

const DAY_MS = 86_400_000;

/** 256 bits; base64url has 43 characters for them. */
const SECRET_BYTES = 32;
const spelling = /^cais_([0-9a-f]{16})_([\w-]{43})$/;

const Row = z.object({
  id: z.string(),
  name: z.string(),
  hash: z.instanceof(Uint8Array),
  stacks: z.string().transform((json) => Token.shape.stacks.parse(JSON.parse(json))),
  actions: z.string().transform((json) => z.array(Action).parse(JSON.parse(json))),
  created_at: z.string(),
  created_by: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  used_on: z.string().nullable(),
});
type Row = z.output<typeof Row>;

/** Hashes have one length, so the time that comparing them takes tells nothing. */
export const digest = (secret: string) => createHash("sha256").update(secret).digest();
/** What an unknown token is compared with, so that it takes as long as a known one. */
const nothing = digest("");

/** `now` is the clock; `onUnwritten` hears that the day of a use could not be noted. */
export function openTokens(database: DatabaseSync, now: () => Date, onUnwritten: (error: unknown) => void): Tokens {
  // This process alone writes the file, so what is read once stays true; asking a token costs no query.
  const rows = new Map<string, Row>();
  /** Those of which the disk does not know yet that they are revoked. */
  const unwritten = new Set<string>();
  for (const found of database.prepare("SELECT * FROM tokens ORDER BY rowid").all()) {
    const row = Row.parse(found);
    rows.set(row.id, row);
  }

  const stateOf = ({ revoked_at, expires_at }: Row): Token["state"] => {
    if (revoked_at !== null) return "revoked";
    return expires_at !== null && new Date(expires_at) <= now() ? "expired" : "active";
  };
  const shown = (row: Row): Token => ({
    id: row.id,
    name: row.name,
    stacks: row.stacks,
    actions: row.actions,
    state: stateOf(row),
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    usedOn: row.used_on,
  });

  function expiryOf({ expiresAt }: NewToken): string | null {
    if (expiresAt === null) return null;
    const latest = now().getTime() + TOKEN_DAYS.atMost * DAY_MS;
    if (expiresAt === undefined) return new Date(now().getTime() + TOKEN_DAYS.byDefault * DAY_MS).toISOString();
    const expires = new Date(expiresAt);
    if (expires <= now()) throw new TokenRefused("The token would have expired already; choose a later time.");
    // A minute for clocks that differ.
    if (expires.getTime() > latest + 60_000)
      throw new TokenRefused(
        `A token lives ${TOKEN_DAYS.atMost} days at most; choose an earlier time, or null for a token without end.`,
      );
    return expires.toISOString();
  }

  return {
    create(asked, by) {
      const { name, stacks } = asked;
      const actions = [...new Set(asked.actions)];
      if (actions.includes("admin") && stacks !== "all")
        throw new TokenRefused("The action admin reaches every stack; leave the stacks out, or the action.");
      if ([...rows.values()].some((row) => row.name === name && stateOf(row) === "active"))
        throw new TokenRefused(`There is a token "${name}" in use already; revoke it first, or choose another name.`);
      const id = randomBytes(8).toString("hex");
      const secret = randomBytes(SECRET_BYTES).toString("base64url");
      const row: Row = {
        id,
        name,
        hash: digest(secret),
        stacks: stacks === "all" ? stacks : [...new Set(stacks)],
        actions,
        created_at: now().toISOString(),
        created_by: by,
        expires_at: expiryOf(asked),
        revoked_at: null,
        used_on: null,
      };
      durably(database, () =>
        database
          .prepare(
            `INSERT INTO tokens (id, name, hash, stacks, actions, created_at, created_by, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
          )
          .run(
            id,
            name,
            row.hash,
            JSON.stringify(row.stacks),
            JSON.stringify(row.actions),
            row.created_at,
            by,
            row.expires_at,
          ),
      );
      rows.set(id, row);
      return { ...shown(row), token: `cais_${id}_${secret}` };
    },

    list: () => [...rows.values()].map(shown).toReversed(),

    revoke(id) {
      const row = rows.get(id);
      if (row === undefined) return undefined;
      if (row.revoked_at === null) {
        // Here first: whatever becomes of the disk, the token is taken no more.
        row.revoked_at = now().toISOString();
        unwritten.add(id);
      }
      const { revoked_at } = row;
      if (unwritten.has(id))
        durably(database, () => database.prepare("UPDATE tokens SET revoked_at = ? WHERE id = ?").run(revoked_at, id));
      unwritten.delete(id);
      return shown(row);
    },

    callerOf(token) {
      const [, id = "", secret = ""] = spelling.exec(token) ?? [];
      const row = rows.get(id);
      const same = timingSafeEqual(digest(secret), row?.hash ?? nothing);
      if (row === undefined || !same || stateOf(row) !== "active") return undefined;
      noteUse(row);
      return { token: row.id, name: row.name, stacks: row.stacks, actions: row.actions };
    },
  };

  function noteUse(row: Row): void {
    const today = now().toISOString().slice(0, 10);
    if (row.used_on === today) return;
    row.used_on = today;
    try {
      database.prepare("UPDATE tokens SET used_on = ? WHERE id = ?").run(today, row.id);
    } catch (error) {
      // A full disk must not lock out who could make room.
      onUnwritten(error);
    }
  }
}
