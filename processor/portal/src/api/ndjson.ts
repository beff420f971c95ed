/** The first rows of an NDJSON stream. */
export interface FirstRows<Row> {
  rows: Row[];
  /** There are more than `limit`. */
  more: boolean;
}

/** Reads at most `limit` rows and then cancels the stream: a browser should not hold a million of them. */
export async function readNdjson<Row>(stream: ReadableStream<Uint8Array>, limit: number): Promise<FirstRows<Row>> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const rows: Row[] = [];
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const lines = rest.split("\n");
    rest = done ? "" : (lines.pop() ?? "");
    for (const line of lines) {
      if (line.trim() === "") continue;
      if (rows.length === limit) {
        await reader.cancel();
        return { rows, more: true };
      }
      rows.push(JSON.parse(line));
    }
    if (done) return { rows, more: false };
  }
}
