/** A name as SQL takes it, whatever it holds (https://duckdb.org/docs/stable/sql/dialect/keywords_and_identifiers). */
export const sqlName = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** A text as an SQL literal, whatever it holds. */
export const sqlText = (text: string) => `'${text.replaceAll("'", "''")}'`;

export const sqlTexts = (texts: string[]) => `[${texts.map(sqlText).join(", ")}]`;
