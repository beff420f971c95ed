import { describe, expect, it } from "vitest";
import { readNdjson } from "./ndjson.ts";

function stream(...chunks: (string | number[])[]) {
  const state = { cancelled: false };
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : new Uint8Array(chunk));
    },
    cancel: () => void (state.cancelled = true),
  });
  return { body, state };
}

describe("readNdjson", () => {
  it("joins rows that are cut anywhere, even inside a character", async () => {
    const é = [...new TextEncoder().encode("é")];
    const { body } = stream('{"row":2}\n{"row"', ':3}\n{"value":"', [é[0] ?? 0], [é[1] ?? 0], '"}\n');
    expect(await readNdjson(body, 10)).toEqual({ rows: [{ row: 2 }, { row: 3 }, { value: "é" }], more: false });
  });

  it("reads a last row without a newline, and ignores empty lines", async () => {
    const { body } = stream('{"row":2}\r\n\n{"row":3}');
    expect(await readNdjson(body, 10)).toEqual({ rows: [{ row: 2 }, { row: 3 }], more: false });
  });

  it("stops at the limit and cancels the rest", async () => {
    const { body, state } = stream("1\n2\n", "3\n", "4\n", "5\n");
    expect(await readNdjson(body, 2)).toEqual({ rows: [1, 2], more: true });
    expect(state.cancelled).toBe(true);
  });

  it("knows that exactly the limit is not more", async () => {
    expect(await readNdjson(stream("1\n2\n").body, 2)).toEqual({ rows: [1, 2], more: false });
    expect(await readNdjson(stream().body, 2)).toEqual({ rows: [], more: false });
  });

  it("fails on a line that is not JSON", async () => {
    await expect(readNdjson(stream("{nonsense\n").body, 2)).rejects.toThrow(SyntaxError);
  });
});
