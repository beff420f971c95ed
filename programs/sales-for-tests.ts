import { Stack } from "@cais/spec/stack.ts";
import type { StackFolder } from "@cais/spec/read-stack.ts";
import type { z } from "zod";

/** A stack of one table, with these sinks. */
export const sales = (sinks: z.input<typeof Stack>["sinks"]): StackFolder => ({
  folder: "stacks/sales",
  sql: { "sold.sql": "SELECT * FROM input" },
  place: () => ({ file: "stack.yaml", line: 1, column: 1, path: "" }),
  stack: Stack.parse({
    name: "sales",
    owner: "shop",
    environments: ["dev"],
    source: { upload: {} },
    contract: { columns: [{ name: "day", type: "date" }] },
    tables: [{ name: "sold", layer: "silver", sql: "sold.sql", disposition: "append" }],
    sinks,
  }),
});
