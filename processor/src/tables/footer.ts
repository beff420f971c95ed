import { arrayBuffer } from "node:stream/consumers";
import type { ObjectStore } from "../object-store/index.ts";

/** Rows of a Parquet file of the lake, of which its footer alone is read. */
export async function countRows(lake: ObjectStore, key: string, bytes: number): Promise<number> {
  const { parquetMetadataAsync } = await import("hyparquet");
  const slice = async (start: number, end = bytes): Promise<ArrayBuffer> => {
    const body = await lake.get(key, { start, end: end - 1 });
    if (body === undefined)
      throw new Error(`The lake lacks ${lake.location(key)}, which the table's Delta log names; restore it.`);
    return arrayBuffer(body);
  };
  const { num_rows } = await parquetMetadataAsync({ byteLength: bytes, slice });
  return Number(num_rows);
}
