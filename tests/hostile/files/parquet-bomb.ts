import { gzipSync } from "node:zlib";

/** A value of Thrift's compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md). */
type Thrift =
  | { i32: number }
  | { i64: number }
  | { text: string }
  | { list: Thrift[] }
  | { fields: Record<number, Thrift> };

const typeOf = (value: Thrift) =>
  "i32" in value ? 5 : "i64" in value ? 6 : "text" in value ? 8 : "list" in value ? 9 : 12;

function varint(value: bigint | number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

function encoded(value: Thrift): Buffer {
  if ("i32" in value) return varint(value.i32 * 2);
  if ("i64" in value) return varint(BigInt(value.i64) * 2n);
  if ("text" in value) return Buffer.concat([varint(value.text.length), Buffer.from(value.text)]);
  if ("list" in value) {
    const [first = { i32: 0 }] = value.list;
    return Buffer.concat([Buffer.from([(value.list.length << 4) | typeOf(first)]), ...value.list.map(encoded)]);
  }
  let last = 0;
  const parts = Object.entries(value.fields).map(([id, field]) => {
    const header = Buffer.from([((Number(id) - last) << 4) | typeOf(field)]);
    last = Number(id);
    return Buffer.concat([header, encoded(field)]);
  });
  return Buffer.concat([...parts, Buffer.from([0])]);
}

/**
 * A Parquet file of some kilobytes (https://parquet.apache.org/docs/file-format/) with one column of texts, in which `rows`
 * rows all hold one text of `length` characters: a dictionary of one entry, and one run that repeats it.
 */
export function parquetBomb(column: string, length: number, rows: number): Buffer {
  const GZIP = 2;
  const RLE_DICTIONARY = 8;
  const word = Buffer.alloc(4);
  word.writeUInt32LE(length);
  const page = (content: Buffer, type: number, header: Record<number, Thrift>) => {
    const packed = gzipSync(content);
    const sizes = { 1: { i32: type }, 2: { i32: content.length }, 3: { i32: packed.length } };
    return Buffer.concat([encoded({ fields: { ...sizes, ...header } }), packed]);
  };
  const dictionary = page(Buffer.concat([word, Buffer.alloc(length, "x")]), 2, {
    7: { fields: { 1: { i32: 1 }, 2: { i32: 0 } } },
  });
  const run = Buffer.concat([Buffer.from([1]), varint(BigInt(rows) * 2n), Buffer.from([0])]);
  const data = page(run, 0, {
    5: { fields: { 1: { i32: rows }, 2: { i32: RLE_DICTIONARY }, 3: { i32: 3 }, 4: { i32: 3 } } },
  });
  const size = dictionary.length + data.length;
  const chunk = {
    1: { i32: 6 },
    2: { list: [{ i32: RLE_DICTIONARY }, { i32: 0 }] },
    3: { list: [{ text: column }] },
    4: { i32: GZIP },
    5: { i64: rows },
    6: { i64: size },
    7: { i64: size },
    9: { i64: 4 + dictionary.length },
    11: { i64: 4 },
  };
  const group = {
    1: { list: [{ fields: { 2: { i64: 4 }, 3: { fields: chunk } } }] },
    2: { i64: size },
    3: { i64: rows },
  };
  const root = { 4: { text: "schema" }, 5: { i32: 1 } };
  const leaf = { 1: { i32: 6 }, 3: { i32: 0 }, 4: { text: column }, 6: { i32: 0 } };
  const footer = encoded({
    fields: {
      1: { i32: 1 },
      2: { list: [{ fields: root }, { fields: leaf }] },
      3: { i64: rows },
      4: { list: [{ fields: group }] },
    },
  });
  const footerLength = Buffer.alloc(4);
  footerLength.writeUInt32LE(footer.length);
  return Buffer.concat([Buffer.from("PAR1"), dictionary, data, footer, footerLength, Buffer.from("PAR1")]);
}
