import { MAX_COLUMNS, MAX_ROW_BYTES } from "../contract/records.ts";

/** Deepest nesting taken (JSON, XML). Real data has a few levels; thousands are made to exhaust a reader. */
export const MAX_DEPTH = 64;

/** How much of a row that is too long is kept to show, in bytes. */
export const SHOWN_BYTES = 4000;

export const TOO_LONG = `The row is longer than ${MAX_ROW_BYTES.toLocaleString("en")} bytes.`;
export const TOO_WIDE = `The row has more than ${MAX_COLUMNS.toLocaleString("en")} columns.`;
export const TOO_DEEP = `nested more than ${MAX_DEPTH} levels deep`;
