import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { stackJsonSchema } from "@cais/spec/stack.ts";
import { Command } from "commander";
import { Failure } from "./failure.ts";
import { stacksFolder } from "./root.ts";

const path = join(stacksFolder, "stack.schema.json");

/** `cais schema`: what gives every editor completion and errors in a stack.yaml. */
export const schemaCommand = (): Command =>
  new Command("schema")
    .description("write stacks/stack.schema.json, which gives editors completion and errors")
    .option("--check", "write nothing; exit 1 when the file is not current")
    .action(({ check }: { check?: true }) => {
      const schema = `${JSON.stringify(stackJsonSchema(), undefined, 2)}\n`;
      if (!check) return writeFileSync(path, schema);
      if (readFileSync(path, "utf8") !== schema)
        throw new Failure(`${relative(process.cwd(), path)} is not current; run npx cais schema and commit it`);
    });
