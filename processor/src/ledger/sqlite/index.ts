import type { Ledger, LedgerClocks } from "../index.ts";
import { claims } from "./claims.ts";
import { connect } from "./connection.ts";
import { openDatabase } from "./database.ts";
import { deliveries, releaseDeliveries } from "./deliveries.ts";
import { looseObjects } from "./loose.ts";
import { publications } from "./publications.ts";
import { queue, releaseLeft } from "./queue.ts";
import { reads as readsOf } from "./read.ts";
import { tables as tablesOf } from "./tables.ts";
import { work } from "./work.ts";

/** Opens the ledger in a SQLite file: for one process, which has the file for itself. */
export async function open(file: string, { now, monotonic }: Required<LedgerClocks>): Promise<Ledger> {
  const connection = connect(openDatabase(file));
  await releaseLeft(connection);
  await releaseDeliveries(connection);
  const reads = readsOf(connection);
  const time = () => now().toISOString();
  const listeners: (() => void)[] = [];
  const queued = () => listeners.forEach((listener) => listener());
  const tables = tablesOf(connection, time);

  return {
    ...reads.answers,
    ...claims({ connection, reads, now, queued }),
    ...queue({ connection, reads, now, monotonic, queued }),
    ...work(connection, reads, time),
    commit: tables.commit,
    tables: tables.answers,
    publications: publications(connection, tables, reads, time),
    deliveries: deliveries({ connection, now }),
    loose: looseObjects(connection),
    onQueued: (listener) => void listeners.push(listener),
    async close() {
      connection.close();
    },
  };
}
