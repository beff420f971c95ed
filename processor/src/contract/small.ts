import { statSync } from "node:fs";
import type { DuckDBConnection, DuckDBInstance, DuckDBPreparedStatement } from "@duckdb/node-api";
import type { Contract } from "@cais/spec/contract.ts";
import { sqlName } from "../engine/quote.ts";
import type { Placed } from "./columns.ts";
import type { Records } from "./records.ts";
import { carefulSelect, recordsSql } from "./select.ts";

/** Bytes of records up to which they are held in the engine's memory. */
const SMALL_BYTES = 1e6;
/** Files of so many headers are known at a time; the engine's memory is for rows. */
const MAX_SHAPES = 20;

/** Where a small file's rows are in the engine: as they were read, and checked. Both are SQL. */
export interface Held {
  rows: string;
  checked: string;
}

/**
 * The check of small files, in memory and without a file in between. To plan the check's statement takes longer than to
 * run it over a few hundred rows, so the plan for files of one shape is kept for the next one, as is the connection that
 * holds it: what was held for a file is gone with the next file.
 */
export interface SmallChecks {
  /** Reads and checks records that are not plain; undefined if they are too large, or not of one CSV. */
  hold(records: Records[], contract: Contract, placed: Placed[]): Promise<Held | undefined>;
  close(): void;
}

interface Shape extends Held {
  /** The statement for all files after the first. */
  insert?: DuckDBPreparedStatement;
}

export function smallChecks(instance: DuckDBInstance): SmallChecks {
  const shapes = new Map<string, Shape>();
  let connection: DuckDBConnection | undefined;

  function close(): void {
    connection?.closeSync();
    connection = undefined;
    shapes.clear();
  }

  async function hold(records: Records, contract: Contract, placed: Placed): Promise<Held> {
    connection ??= await instance.connect();
    const read = `SELECT * FROM ${recordsSql(records)}`;
    const select = (rows: string) => carefulSelect(contract, records, placed, rows);
    // Columns that the contract drops are in the rows, but not in the check.
    const key = `${records.header.length} ${select("rows")}`;
    const known = shapes.get(key);
    if (known === undefined) {
      if (shapes.size >= MAX_SHAPES) shapes.clear();
      const shape = { rows: nameOf("rows", shapes.size), checked: nameOf("checked", shapes.size) };
      await connection.run(`CREATE OR REPLACE TABLE ${shape.rows} AS ${read}`);
      await connection.run(`CREATE OR REPLACE TABLE ${shape.checked} AS ${select(shape.rows)}`);
      shapes.set(key, shape);
      return shape;
    }
    await connection.run(`DELETE FROM ${known.rows}; DELETE FROM ${known.checked}; INSERT INTO ${known.rows} ${read}`);
    known.insert ??= await connection.prepare(`INSERT INTO ${known.checked} ${select(known.rows)}`);
    await known.insert.run();
    return known;
  }

  return {
    async hold([only, ...others], contract, [placed]) {
      if (only === undefined || placed === undefined || others.length > 0) return undefined;
      if (only.kind !== "csv" || only.plain !== null || statSync(only.file).size > SMALL_BYTES) return undefined;
      try {
        return await hold(only, contract, placed);
      } catch (error) {
        close();
        throw error;
      }
    },
    close,
  };
}

const nameOf = (what: string, number: number) => `memory.main.${sqlName(`small ${what} ${number}`)}`;
