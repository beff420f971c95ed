import { z } from "zod";
import { StackName } from "./names.ts";

/** Who may do what, as the API, the CLI and the page speak of it. Times are ISO 8601 in UTC. */

/**
 * What a token may be allowed. `read`: see stacks, runs, rejected rows, files and tables. `send`: upload files. `replay`:
 * have files or rejected rows processed again. `pii`: with `read`, see personal data too: rejected rows as they were, and
 * files as received, of stacks that declare some. `admin`: everything, on all stacks, and tokens, audit log, clean-up.
 */
export const Action = z.enum(["read", "send", "replay", "pii", "admin"]);
export type Action = z.output<typeof Action>;

/** A token's life in days, unless it is asked for otherwise, and at most. */
export const TOKEN_DAYS = { byDefault: 90, atMost: 365 } as const;

/** Printable, so that it can be shown in a terminal as it is. */
const TokenName = z
  .string()
  .regex(/^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,63}$/u, "must be 1 to 64 letters, digits, spaces and . _ @ -");

export const NewToken = z.strictObject({
  name: TokenName.describe("Who or what uses it; no two tokens in use have the same name."),
  stacks: z
    .union([z.literal("all"), z.array(StackName).min(1).max(1000)])
    .default("all")
    .describe("The stacks whose runs, files and tables it reaches."),
  actions: z.array(Action).min(1).max(Action.options.length).default(["read"]),
  expiresAt: z.iso
    .datetime()
    .nullable()
    .optional()
    .describe(`At most ${TOKEN_DAYS.atMost} days ahead; null: never. Default: ${TOKEN_DAYS.byDefault} days ahead.`),
});
export type NewToken = z.output<typeof NewToken>;

export const Token = z.object({
  id: z.string(),
  name: z.string(),
  stacks: z.union([z.literal("all"), z.array(z.string())]),
  actions: z.array(Action),
  state: z.enum(["active", "expired", "revoked"]),
  createdAt: z.iso.datetime(),
  createdBy: z.string(),
  expiresAt: z.iso.datetime().nullable().describe("null: never."),
  revokedAt: z.iso.datetime().nullable(),
  usedOn: z.iso.date().nullable().describe("The last day it was used."),
});
export type Token = z.output<typeof Token>;

export const Tokens = z.object({ tokens: z.array(Token).describe("Newest first.") });

export const CreatedToken = Token.extend({
  token: z.string().describe("The token itself: shown now and never again."),
});
export type CreatedToken = z.output<typeof CreatedToken>;

export const AuditEntry = z.object({
  id: z.number().int(),
  at: z.iso.datetime(),
  by: z
    .string()
    .nullable()
    .describe("The token's name, `administrator` or `local`; null if it was not known who asks."),
  token: z.string().nullable().describe("The token's id."),
  from: z.string().describe("The address that asked."),
  what: z.string().describe("What was done or refused: `upload`, `replay`, `read` …"),
  stack: z.string().nullable(),
  on: z.string().nullable().describe("The run or token concerned."),
  status: z.number().int().describe("The HTTP status of the answer."),
  problem: z.string().nullable().describe("The code of the problem that was answered."),
  times: z.number().int().describe("How often: the same refusal within a minute is one entry."),
});
export type AuditEntry = z.output<typeof AuditEntry>;

export const Audit = z.object({
  entries: z.array(AuditEntry).describe("Newest first."),
  next: z.number().int().nullable().describe("Pass as `before` for the next page."),
});
export type Audit = z.output<typeof Audit>;
