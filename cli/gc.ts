import { Garbage } from "@cais/spec/api.ts";
import { Command } from "commander";
import { connect, requestJson, tokenHelp } from "./client.ts";
import { interruptible } from "./follow.ts";
import { count } from "./planning.ts";
import { formatBytes } from "./run-text.ts";

interface Options {
  url?: string;
  dryRun?: true;
  json?: true;
}

/** `cais gc`: removes what a crash may have left in the stores, and nothing else. */
export const gcCommand = (): Command =>
  new Command("gc")
    .description("remove objects that Cais wrote and no run or table has: what a crash may have left")
    .option("--dry-run", "only list them")
    .option("--json", "print the answer as JSON")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText(
      "after",
      `
Only objects older than an hour whose names have the form that Cais itself writes are taken.
${tokenHelp}
Exit codes: 0 done, 1 it failed, 2 wrong usage, 130 interrupted.`,
    )
    .action(async ({ url, dryRun, json }: Options) => {
      const connection = await connect(url);
      const path = `/v1/gc?dryRun=${dryRun === true}`;
      const garbage = await interruptible((signal) =>
        requestJson(connection, path, Garbage, { method: "POST", signal }),
      );
      if (json) return void process.stdout.write(`${JSON.stringify(garbage, undefined, 2)}\n`);
      const { objects } = garbage;
      for (const { store, key, bytes } of objects)
        process.stdout.write(`${formatBytes(bytes).padStart(9)}  ${store}  ${key}\n`);
      const bytes = objects.reduce((sum, object) => sum + object.bytes, 0);
      if (objects.length === 0) process.stdout.write("There is nothing to remove.\n");
      else if (dryRun)
        process.stdout.write(
          `${count(objects.length, "object")}, ${formatBytes(bytes)}, would be removed: npx cais gc\n`,
        );
      else process.stdout.write(`${count(objects.length, "object")}, ${formatBytes(bytes)}, removed.\n`);
    });
