import { join } from "node:path";
import type { TakenRun } from "../ledger/index.ts";
import type { Session } from "./attempt.ts";
import { filesBefore } from "./tables.ts";

/** Delivers the stack's tables as they are now. `visible` are those that the session's SQL sees already. */
export async function deliver(session: Session, runs: TakenRun[], visible: Set<string>): Promise<void> {
  const { stack, engine, ledger, folder } = session;
  for (const { csv } of stack.config.stack.sinks) {
    if (csv === undefined) continue;
    await session.step(runs, `sinks/csv/${csv.table}`, async () => {
      if (!visible.has(csv.table)) {
        const state = await ledger.tables.read(stack.config.stack.name, csv.table);
        await engine.attachTable(csv.table, await filesBefore(session, csv.table, undefined), state?.columns ?? []);
      }
      visible.add(csv.table);
      const { rows, file } = await engine.write({
        table: csv.table,
        file: join(folder, `${csv.table}.csv`),
        writes: { as: "csv", delimiter: csv.delimiter, decimal: csv.decimal },
      });
      const { bytes } = await stack.output.putFile(csv.to, file);
      const output = { kind: "csv" as const, name: csv.table, location: stack.output.location(csv.to), rows, bytes };
      await Promise.all(runs.map(({ id }) => ledger.addOutput(id, output)));
    });
  }
}
