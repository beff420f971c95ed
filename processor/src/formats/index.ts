import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Contract } from "@cais/spec/contract.ts";
import { expandedLimit, type Format, type Upload } from "@cais/spec/upload.ts";
import { type Records, Unreadable } from "../contract/records.ts";
import { readCsv } from "./csv/index.ts";
import { detect, HEAD_BYTES, type Kind, notTaken } from "./detect.ts";
import type { KeyedRows, Reading } from "./keyed.ts";
import { type Budget, budgeted, headOf, type Source, writeTo } from "./source.ts";
import type { Zip } from "./zip.ts";

/** What a file is read for. */
export interface Reader {
  /** Reads Parquet. It reaches files in `folder`, where the file itself is too. */
  connection: DuckDBConnection;
  upload: Upload;
  contract: Contract;
  /** The run's own folder. Everything made of the file is written there, by names of Cais's own. */
  folder: string;
  /** false: every row has its number in the records. Default: true. */
  fast?: boolean;
  /** Every clean row has its number. Default: those that may still be refused. */
  numbered?: boolean;
}

/**
 * Makes records of a file: one for the file, or one for each file in a zip. What the file is, its content tells; its name
 * only chooses where content leaves a choice. Throws `Unreadable` for what the stack does not take.
 */
export async function readRecords(file: string, name: string, reader: Reader): Promise<Records[]> {
  const { upload } = reader;
  const limit = expandedLimit(upload);
  const budget: Budget = { limit, left: limit };
  const { size } = await stat(file);
  // Each piece is allocated as large as it may be, whatever is read into it; one more byte shows the end.
  const highWaterMark = Math.min(size + 1, 1 << 20);
  const source: Source = {
    member: { name: null, index: 0 },
    open: () => createReadStream(file, { highWaterMark }),
  };
  const kind = await kindOf(source, name, upload);
  if (kind.is === "zip") return readZip(file, budget, reader);
  if (kind.is === "gzip") {
    const { gunzip } = await import("./gzip.ts");
    const content = { ...source, open: budgeted(() => gunzip(file), budget) };
    return [await readContent(content, name.replace(/\.gz$/i, ""), budget, reader)];
  }
  return [await readFormat(formatOf(kind, upload.formats), source, file, budget, reader)];
}

async function kindOf(source: Source, name: string, upload: Upload): Promise<Kind> {
  return detect(await headOf(source, HEAD_BYTES), name, upload);
}

function formatOf(kind: Kind, formats: readonly Format[]): Format {
  if (kind.is === "other") throw notTaken(kind, formats);
  if (kind.is !== "format")
    throw new Unreadable(`The file holds a ${kind.is} inside a compressed file; compress it once.`);
  if (!formats.includes(kind.format)) throw notTaken(kind.format, formats);
  return kind.format;
}

/** A zip is an Excel workbook, or files of rows. */
async function readZip(file: string, budget: Budget, reader: Reader): Promise<Records[]> {
  const { openZip, isWorkbook } = await zipReader();
  const zip = await openZip(file, budget);
  try {
    if (isWorkbook(zip)) return [await readWorkbook(zip, { name: null, index: 0 }, budget, reader)];
    if (zip.members.length === 0) throw new Unreadable("The zip holds no file; send one with at least one.");
    const all: Records[] = [];
    for (const [index, { name, open }] of zip.members.entries()) {
      try {
        all.push(await readContent({ member: { name, index }, open }, name, budget, reader));
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        throw new Unreadable(`${JSON.stringify(name)} in the zip cannot be read: ${error.message}`, { cause: error });
      }
    }
    return all;
  } finally {
    await zip.close();
  }
}

const zipReader = async () => ({ ...(await import("./zip.ts")), ...(await import("./excel-workbook.ts")) });

async function readWorkbook(
  zip: Zip,
  member: Source["member"],
  budget: Budget,
  { upload, contract, folder }: Reader,
): Promise<Records> {
  if (!upload.formats.includes("excel")) throw notTaken("excel", upload.formats);
  const { readExcel } = await import("./excel.ts");
  return readExcel(zip, upload.read.excel, budget, { member, contract, folder });
}

/** Reads what came out of a gzip or zip. Readers that need a file get one. */
async function readContent(source: Source, name: string, budget: Budget, reader: Reader): Promise<Records> {
  const { upload, folder } = reader;
  const kind = await kindOf(source, name, upload);
  const path = join(folder, `expanded-${source.member.index}`);
  if (kind.is !== "zip") {
    const format = formatOf(kind, upload.formats);
    if (format === "parquet") await writeTo(path, source);
    return readFormat(format, source, path, budget, reader);
  }
  await writeTo(path, source);
  const { openZip, isWorkbook } = await zipReader();
  const zip = await openZip(path, budget);
  try {
    if (!isWorkbook(zip)) throw new Unreadable("The file holds a zip inside a compressed file; compress it once.");
    return await readWorkbook(zip, source.member, budget, reader);
  } finally {
    await zip.close();
  }
}

/**
 * Reads content of a format. `path` is the file of its own that Parquet needs. A reader is loaded with the first file of its
 * format, since all of them together are a quarter of what an engine's start takes.
 */
async function readFormat(
  format: Format,
  source: Source,
  path: string,
  budget: Budget,
  { connection, upload, contract, folder, fast = true, numbered = false }: Reader,
): Promise<Records> {
  const { read } = upload;
  const reading: Reading = { member: source.member, contract, folder };
  const keyed = async (read: (rows: KeyedRows) => Promise<void>) =>
    (await import("./keyed.ts")).keyedRecords(reading, { format }, read);
  switch (format) {
    case "csv":
    case "tsv":
      return readCsv(source.open(), { reading: read, ...reading, tsv: format === "tsv", fast, numbered });
    case "json": {
      const [{ readJson }, { asUtf8 }] = await Promise.all([import("./json.ts"), import("./utf8.ts")]);
      return keyed((rows) => readJson(asUtf8(source.open()), read.json.rows, rows));
    }
    case "ndjson": {
      const [{ readNdjson }, { asUtf8 }] = await Promise.all([import("./ndjson.ts"), import("./utf8.ts")]);
      return keyed((rows) => readNdjson(asUtf8(source.open()), rows));
    }
    case "xml": {
      const { readXml } = await import("./xml.ts");
      return keyed((rows) => readXml(source.open(), read.xml.row, rows));
    }
    case "parquet":
      return (await import("./parquet.ts")).readParquet(path, connection, budget, reading);
    case "excel":
      throw new Unreadable("The Excel workbook is damaged; save it again.");
  }
}
