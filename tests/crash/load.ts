import { createHash } from "node:crypto";
import type { ProcessorConfig } from "@cais/spec/bindings.ts";
import { configOf, salesStack } from "../../processor/src/processor-for-tests.ts";

/** A file that a client sends. */
export interface Sending {
  stack: string;
  /** What it is called in results; two sendings of the same content are one file. */
  file: string;
  /** Its name as sent. */
  name: string;
  content: string;
  /** Put into the input store by another program, for the monitor to find. Default: uploaded. */
  put?: true;
}

/** What is asked of a file when its run is done. */
export interface Demand {
  stack: string;
  file: string;
  /** replay: with one of its rejected rows corrected. */
  kind: "replay" | "rerun";
}

/** What is sent to a processor: to one seed's, files of that seed's own. */
export interface Load {
  config: ProcessorConfig;
  sendings(seed: number): Sending[];
  demands: Demand[];
}

/** What a stack of the load asks for beside its tables. */
type Upload = Extract<Parameters<typeof salesStack>[0], object>["source"];
const source = (after: "archive" | "delete"): NonNullable<Upload> => ({
  upload: { formats: ["csv"], maxBytes: 1_000_000, after },
});

/** A file of sales; every row's note says which seed and file it is of, so that each row of a table is known. */
function sales(seed: number, stack: string, file: string, amounts: string[]): Sending {
  const rows = amounts.map((amount, index) => `2024-01-0${(index % 9) + 1},${amount},${seed}:${file}:${index}\n`);
  return { stack, file, name: `${file}.csv`, content: `day,amount,note\n${rows.join("")}` };
}

/** The same content, under another name. */
const again = (sending: Sending): Sending => ({ ...sending, name: `again-${sending.name}` });

/** A stack with a table of each kind, and sinks of them. */
function everyKind() {
  const replaced = { layer: "gold", disposition: "replace" } as const;
  const { stack, sql } = salesStack({
    source: source("archive"),
    tables: [
      { name: "sold", layer: "silver", sql: "sold.sql", disposition: "append" },
      { name: "latest", layer: "silver", sql: "sold.sql", disposition: "merge", key: ["day"] },
      { name: "by_day", sql: "by_day.sql", ...replaced },
      { name: "days", sql: "by_day.sql", ...replaced, partitionBy: ["day"], replace: "partitions" },
    ],
    sinks: [{ csv: { table: "sold", to: "out/sold.csv" } }, { parquet: { table: "latest", to: "out/latest.parquet" } }],
  });
  return { stack, sql };
}

/** The least that takes a processor through every step: good, refused and misshapen rows, the same content twice, no rows at all. */
export function smallLoad(): Load {
  return {
    config: configOf(everyKind()),
    demands: [
      { stack: "sales", file: "mixed", kind: "replay" },
      { stack: "sales", file: "good", kind: "rerun" },
    ],
    sendings(seed) {
      const mixed = sales(seed, "sales", "mixed", ["1", "-1", "2.5", "3,too many"]);
      return [mixed, again(mixed), sales(seed, "sales", "good", ["10"]), sales(seed, "sales", "none", ["-1"])];
    },
  };
}

/** The same and more of it, for two stacks whose runs go on side by side; the second one's files are found by the monitor. */
export function fullLoad(): Load {
  const small = smallLoad();
  const amounts = Array.from({ length: 2000 }, (_, row) => String(row % 50 === 0 ? -row : row));
  const { stacks } = configOf(salesStack({ name: "returns", source: source("delete") }));
  for (const stack of Object.values(stacks)) stack.events = { driver: "monitor", intervalSeconds: 1 };
  return {
    config: { ...small.config, stacks: { ...small.config.stacks, ...stacks } },
    demands: [...small.demands, { stack: "returns", file: "long", kind: "replay" }],
    sendings(seed) {
      const long: Sending = { ...sales(seed, "returns", "long", amounts), put: true };
      return [
        ...small.sendings(seed),
        ...[1, 2, 3].map((file) => sales(seed, "sales", `more${file}`, ["1", "2", "-3"])),
        long,
        again(long),
        { stack: "returns", file: "unreadable", name: "unreadable.csv", content: `no,table\n${seed},x\n`, put: true },
        sales(seed, "returns", "short", ["7"]),
        sales(seed, "returns", "refused", ["-7", "8"]),
      ];
    },
  };
}

/** The names of a stack's tables. */
export const tablesOf = ({ config }: Load, stack: string): string[] =>
  config.stacks[stack]?.stack.tables.map(({ name }) => name) ?? [];

/** The seed and file that a row of a table is of. */
export function originOf(row: string): { seed: number; file: string } {
  const [, seed, file] = /,(\d+):(\w+):\d+$/.exec(row) ?? [];
  if (file === undefined) throw new Error(`The row "${row}" is of no file that was sent.`);
  return { seed: Number(seed), file };
}

export const sha256Of = (content: string): string => createHash("sha256").update(content).digest("hex");
