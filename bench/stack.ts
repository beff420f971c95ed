import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { Stack } from "@cais/spec/stack.ts";

/** What the files of `messy.ts` must hold. The baselines clean by the same rules. */
const messy = Stack.parse({
  name: "bench",
  owner: "bench",
  environments: ["dev"],
  source: { upload: { formats: ["csv"], maxBytes: "3GB" } },
  contract: {
    decimal: ",",
    nulls: ["-9999"],
    columns: [
      { name: "id", type: "integer", required: true },
      { name: "data", type: "date", required: true },
      { name: "hora", type: "string" },
      { name: "estacao", type: "string", required: true },
      { name: "temperatura", type: "double", min: -40, max: 60 },
      { name: "umidade", type: "integer", min: 0, max: 100 },
      { name: "chuva", type: "double", min: 0 },
      { name: "vento", type: "double", min: 0 },
      { name: "observacao", type: "string" },
    ],
  },
  tables: [{ name: "clean", layer: "silver", sql: "clean.sql", disposition: "append" }],
  sinks: [{ csv: { table: "clean", to: "clean.csv" } }],
});

/** The same without a sink: a table that grows with every small file would make each sink write all of it again. */
const withoutSink = Stack.parse({ ...messy, sinks: [] });

/** Rows that take the place of those with the same number. */
const merging = Stack.parse({
  ...messy,
  contract: {
    columns: [
      { name: "id", type: "integer", required: true },
      { name: "day", type: "date" },
      { name: "station", type: "string" },
      { name: "value", type: "double" },
    ],
  },
  tables: [{ name: "clean", layer: "silver", sql: "clean.sql", disposition: "merge", key: ["id"] }],
  sinks: [],
});

const stacks = { messy, "messy without sink": withoutSink, merge: merging };
export type BenchStack = keyof typeof stacks;

const store = (role: string) => ({ driver: "fs", path: `bench/${role}` });

/** Writes the config of a processor with that stack, whose stores are folders beside it. */
export async function writeConfig(
  folder: string,
  { stack, port = 0 }: { stack: BenchStack; port?: number },
): Promise<string> {
  const config = ProcessorConfig.parse({
    environment: "dev",
    target: "local",
    // Every request comes from one address here, and more of them than people send.
    api: { port, limits: { requestsPerMinute: 1_000_000, uploads: 64, connections: 1000 } },
    // Less than bare DuckDB is given, since a server is beside it: both together are to stay below 500 MB.
    engine: { memoryBytes: 180e6, threads: 2 },
    stacks: {
      bench: {
        stack: stacks[stack],
        sql: { "clean.sql": "SELECT * FROM input" },
        stores: { input: store("input"), lake: store("lake"), output: store("output") },
        // As often as a monitor can look. Uploads through the API do not wait for it.
        events: { driver: "monitor", intervalSeconds: 1 },
      },
    },
  });
  const file = join(folder, "config.json");
  await writeFile(file, JSON.stringify(config));
  return file;
}
