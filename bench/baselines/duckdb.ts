/**
 * Bare DuckDB: the same types, one statement for Parquet and one for CSV. It drops rows that are not right without a word,
 * knows no range, no required cell, and no reason. Usage: duckdb.ts FILE FOLDER
 */
import { DuckDBInstance } from "@duckdb/node-api";

const [file = "", folder = ""] = process.argv.slice(2);
const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: "350MB" });
const connection = await instance.connect();
const columns = `{id: 'BIGINT', data: 'DATE', hora: 'VARCHAR', estacao: 'VARCHAR', temperatura: 'DOUBLE',
  umidade: 'BIGINT', chuva: 'DOUBLE', vento: 'DOUBLE', observacao: 'VARCHAR'}`;
await connection.run("SET preserve_insertion_order = true");
await connection.run(`COPY (SELECT * FROM read_csv('${file}', delim = ';', header = true, auto_detect = false,
  quote = '"', escape = '"', decimal_separator = ',', nullstr = ['', '-9999'], columns = ${columns},
  ignore_errors = true)) TO '${folder}/clean.parquet' (FORMAT parquet, COMPRESSION zstd)`);
await connection.run(`COPY (SELECT * FROM '${folder}/clean.parquet') TO '${folder}/clean.csv' (FORMAT csv, HEADER)`);
const [[rows] = []] = await (await connection.run(`SELECT count(*) FROM '${folder}/clean.parquet'`)).getRows();
process.stdout.write(`${JSON.stringify({ clean: Number(rows) })}\n`);
