import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Contract } from "@cais/spec/contract.ts";
import { checkRecords, type CheckedRecords } from "../contract/check.ts";
import { correctedRecords, openRows } from "../contract/replay.ts";
import { personal } from "../contract/pii.ts";
import type { SmallChecks } from "../contract/small.ts";
import { readRecords } from "../formats/index.ts";
import type { Request } from "./messages.ts";
import { sqlText } from "./quote.ts";
import { about, checkExpression } from "./select.ts";
import { inputIsVisible } from "./tables.ts";

/** Reads a file, or what a replay wants of it, by its contract: the clean rows become the view `input`. */
export async function checkContract(
  connection: DuckDBConnection,
  request: Extract<Request, { do: "contract" }>,
  small?: SmallChecks,
): Promise<CheckedRecords> {
  const checked = await readAndCheck(connection, request, small).catch((error: unknown) => {
    throw ofRules(error, request.contract);
  });
  // The contract alone decides which columns `input` has.
  inputIsVisible(connection, JSON.stringify(request.contract));
  return checked;
}

async function readAndCheck(
  connection: DuckDBConnection,
  { folder, file, name, upload, contract, replay, received, piiKey }: Extract<Request, { do: "contract" }>,
  small: SmallChecks | undefined,
): Promise<CheckedRecords> {
  for (const [index, { check }] of contract.rules.entries())
    await about(`Rule ${index + 1} of the contract`, () => checkExpression(connection, check));
  if (replay?.scope === "rows") {
    const { records, kept, keptRows } = await openRows(connection, { ...replay, folder });
    const checked = await checkRecords(connection, folder, records, contract, { received, piiKey });
    return keptRows === 0 ? checked : withKept(connection, folder, checked, kept, keptRows);
  }
  const corrections = replay?.corrections ?? [];
  // Corrected rows are told from others by their numbers, which rows read the fast way may not have.
  const records = await readRecords(file, name, {
    connection,
    upload,
    contract,
    folder,
    fast: corrections.length === 0,
    numbered: received !== undefined,
  });
  const open = replay?.open ?? null;
  const corrected = await correctedRecords(connection, records, { corrections, open, folder });
  return checkRecords(connection, folder, corrected, contract, {
    received,
    piiKey,
    small: replay === null ? small : undefined,
  });
}

/** The kind of an error of DuckDB, with which its message begins. What follows may quote a value, whatever the kind. */
const KIND = /^([A-Z]\w*(?: \w+){0,3} Error): /;
/** Kinds that tell of the machine, not of a value. */
const ofMachine = new Set(["Out of Memory Error", "IO Error"]);
/** Kinds of a fault of the engine, after which it ends: the message tells that. */
const ofEngine = new Set(["INTERNAL Error", "FATAL Error"]);
/** Kinds with which a rule can make the engine stop at a value: cells are only tried as their types. */
const ofRule = new Set(["Conversion Error", "Invalid Input Error", "Out of Range Error", "Binder Error"]);

/** Says that it was a rule that failed, and no value that is personal. */
function ofRules(error: unknown, contract: Contract): unknown {
  const [, kind = ""] = (error instanceof Error && KIND.exec(error.message)) || [];
  if (!(error instanceof Error) || kind === "" || ofMachine.has(kind)) return error;
  const hasRules = contract.rules.length > 0;
  const because = { cause: error };
  if (personal(contract).size === 0)
    return hasRules && ofRule.has(kind) ? new Error(`A rule of the contract failed: ${error.message}`, because) : error;
  const untold = "It is not told, since the contract has personal data";
  if (ofEngine.has(kind) || !hasRules) return new Error(`${kind}: The engine failed at a value. ${untold}.`, because);
  return new Error(
    `A rule of the contract failed at a value. ${untold}; try the rules on a file without any.`,
    because,
  );
}

/** Adds the open rows that the replay did not read: they stay open, for the reasons that they had. */
async function withKept(
  connection: DuckDBConnection,
  folder: string,
  { read, clean, rejected, file, ...found }: CheckedRecords,
  kept: string,
  keptRows: number,
): Promise<CheckedRecords> {
  const all = join(folder, "still-open.parquet");
  const again = file === null ? "" : `UNION ALL BY NAME SELECT * FROM read_parquet(${sqlText(file)})`;
  await connection.run(
    `COPY (SELECT * FROM (${kept} ${again}) ORDER BY member NULLS FIRST, "row") TO ${sqlText(all)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 4096)`,
  );
  return { ...found, read: read + keptRows, clean, rejected: rejected + keptRows, file: all };
}
