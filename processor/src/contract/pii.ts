import { createHash } from "node:crypto";
import type { Column, Contract } from "@cais/spec/contract.ts";
import { sqlName } from "../engine/quote.ts";
import { sqlType } from "./types.ts";

/** What stands in the place of a masked value. */
export const MASK = "***";

/** Columns whose values are told only to who may see personal data, by their names in SQL. */
export const personal = ({ columns }: Contract): Set<string> =>
  new Set(columns.flatMap(({ name, pii }) => (pii === undefined ? [] : [name])));

/** A contract's columns as SQL of tables sees them, without those that are dropped. */
export const seenColumns = ({ columns }: Contract): { name: string; type: string }[] =>
  columns.flatMap(({ pii, ...column }) => {
    if (pii === "drop") return [];
    return [{ name: column.name, type: pii === undefined ? sqlType(column) : "VARCHAR" }];
  });

/** SQL of the columns that tables may see, each under its name, over columns with the values themselves. */
export function protectedSql(contract: Contract, key: string | undefined): string[] {
  return contract.columns.flatMap((column) => {
    const sql = protectedCell(column, key);
    return sql === undefined ? [] : [sql === sqlName(column.name) ? sql : `${sql} AS ${sqlName(column.name)}`];
  });
}

function protectedCell({ name, pii }: Column, key: string | undefined): string | undefined {
  const cell = sqlName(name);
  switch (pii) {
    case undefined:
      return cell;
    case "drop":
      return undefined;
    case "mask":
      return `CASE WHEN ${cell} IS NOT NULL THEN '${MASK}' END`;
    case "hash":
      if (key === undefined) throw new Error(`The column "${name}" is to be hashed, but there is no key.`);
      return hmacSql(`${cell}::VARCHAR`, key);
  }
}

/** Bytes of a block of SHA-256. */
const BLOCK = 64;

/** SQL of a text's HMAC-SHA-256 in hexadecimal digits (https://www.rfc-editor.org/rfc/rfc2104); null of null. */
function hmacSql(text: string, key: string): string {
  const bytes = Buffer.from(key);
  const block = Buffer.alloc(BLOCK);
  (bytes.length > BLOCK ? createHash("sha256").update(bytes).digest() : bytes).copy(block);
  const padded = (pad: number) =>
    `'${[...block].map((byte) => `\\x${(byte ^ pad).toString(16).padStart(2, "0")}`).join("")}'::BLOB`;
  return `sha256(${padded(0x5c)} || unhex(sha256(${padded(0x36)} || encode(${text}))))`;
}
