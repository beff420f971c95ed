import type { AuditLimits } from "@cais/spec/bindings.ts";
import { type AuditLog, openAudit } from "./audit.ts";
import { openDatabase } from "./database.ts";
import { openTokens, type Tokens } from "./tokens.ts";

export { administrator, type Caller, local, mayDo, nobody, sees } from "./caller.ts";

/** Who may do what, and who did. One processor writes it. */
export interface Access {
  readonly tokens: Tokens;
  readonly audit: AuditLog;
  close(): Promise<void>;
}

export interface AccessOptions {
  /** How long and how much of the audit log is kept. Default: 400 days, a million changes, 100,000 refusals. */
  audit?: AuditLimits | undefined;
  /** Hears what goes wrong where no caller waits: a use that could not be noted, a flush that failed. */
  onError: (error: unknown) => void;
  now?: () => Date;
}

/** Opens tokens and audit log in a SQLite file, made if it is not there. Throws with a sentence for who runs the processor. */
export function openAccess(
  file: string,
  {
    audit: { days = 400, changes = 1_000_000, refusals = 100_000 } = {},
    onError,
    now = () => new Date(),
  }: AccessOptions,
): Access {
  const database = openDatabase(file);
  const audit = openAudit(database, file, { now, days, entries: { changes, refusals }, onError });
  return {
    tokens: openTokens(database, now, onError),
    audit,
    async close() {
      await audit.close();
      database.close();
    },
  };
}
