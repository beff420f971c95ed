import type { DatabaseSync, StatementSync } from "node:sqlite";

/** What the parts of the driver work with. */
export interface Connection {
  /** The statement of a SQL text, prepared at its first use and kept. */
  sql(text: string): StatementSync;
  /**
   * Does writes in the order in which they come, those of one turn of the event loop in one transaction: one wait for the
   * disk serves them all. Its promise resolves when the transaction is durable. A write that throws leaves nothing behind
   * and does not hinder the others. One that `mayWait` is done with the next that may not, or a moment later.
   */
  write<T>(work: () => T, options?: { mayWait?: boolean }): Promise<T>;
  /** Does what waits. After it, a write is refused. */
  close(): void;
}

/** How long a write waits for others that is nothing but told, as steps are: small files have several each. */
const WAIT_MS = 20;

/** A write that waits for its transaction. */
interface Waiting {
  /** Does it; gives what to tell who asked once the transaction has been committed, or throws. */
  work: () => () => void;
  reject: (error: unknown) => void;
}

export function connect(database: DatabaseSync): Connection {
  const statements = new Map<string, StatementSync>();
  let waiting: Waiting[] = [];
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let isDue = false;

  function sql(text: string): StatementSync {
    const known = statements.get(text);
    if (known !== undefined) return known;
    const statement = database.prepare(text);
    statements.set(text, statement);
    return statement;
  }

  function flush(): void {
    const group = waiting;
    waiting = [];
    isDue = false;
    clearTimeout(timer);
    timer = undefined;
    if (group.length === 0) return;
    const resolves: (() => void)[] = [];
    const failed = new Map<Waiting, unknown>();
    try {
      sql("BEGIN IMMEDIATE").run();
      for (const write of group)
        try {
          sql("SAVEPOINT one").run();
          const resolve = write.work();
          sql("RELEASE one").run();
          resolves.push(resolve);
        } catch (error) {
          failed.set(write, error);
          // A full disk ends the whole transaction: https://sqlite.org/lang_transaction.html, 3.
          if (!database.isTransaction) throw error;
          sql("ROLLBACK TO one").run();
          sql("RELEASE one").run();
        }
      sql("COMMIT").run();
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      for (const write of group) write.reject(failed.get(write) ?? error);
      return;
    }
    for (const [write, error] of failed) write.reject(error);
    for (const resolve of resolves) resolve();
  }

  return {
    sql,
    write<T>(work: () => T, { mayWait = false } = {}) {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      if (closed) {
        reject(new Error("The ledger is closed."));
        return promise;
      }
      if (mayWait) timer ??= setTimeout(flush, WAIT_MS);
      else if (!isDue) {
        isDue = true;
        // Not before the other requests that have arrived by now were heard.
        setImmediate(flush);
      }
      waiting.push({
        work: () => {
          const result = work();
          return () => resolve(result);
        },
        reject,
      });
      return promise;
    },
    close() {
      closed = true;
      flush();
      database.close();
    },
  };
}
