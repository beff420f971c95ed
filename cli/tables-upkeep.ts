import { Optimized, Rewound, Vacuumed } from "@cais/spec/upkeep.ts";
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

const common = (command: Command, more: string): Command =>
  command
    .argument("<table>", "a table as STACK/TABLE")
    .option("--json", "print the answer as JSON")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText(
      "after",
      `
${more}
${tokenHelp}
Exit codes: 0 done, 1 there is no such table, or it failed, 2 wrong usage, 130 interrupted.`,
    );

/** `cais tables optimize`: puts a table's small files together. `pathOf` gives the API's address of a table. */
export const optimizeCommand = (pathOf: (table: string) => string): Command =>
  common(
    new Command("optimize").description("put a table's small files together, between the runs of its stack"),
    "Done by itself when a table has more than 100 files below 16 MB. No row changes; it is a version of its own.",
  ).action(async (table: string, { url, json }: Options) => {
    const path = `${pathOf(table)}/optimize`;
    const connection = await connect(url);
    const done = await interruptible((signal) => requestJson(connection, path, Optimized, { method: "POST", signal }));
    if (json) return void process.stdout.write(`${JSON.stringify(done, undefined, 2)}\n`);
    const { removed, added, bytes } = done;
    process.stdout.write(
      added === 0
        ? "There are no small files to put together.\n"
        : `${count(removed, "file")} became ${count(added, "file")} of ${formatBytes(bytes)}.\n`,
    );
  });

/** `cais tables vacuum`: deletes files that no kept version of a table needs. */
export const vacuumCommand = (pathOf: (table: string) => string): Command =>
  common(
    new Command("vacuum")
      .description("delete files that no kept version of a table needs")
      .option("--dry-run", "only list them"),
    "Done by itself once a day. Files stay for 7 days after they were removed, or as the table's\ndelta.deletedFileRetentionDuration says; after that its older versions cannot be read any more.",
  ).action(async (table: string, { url, dryRun, json }: Options) => {
    const path = `${pathOf(table)}/vacuum?dryRun=${dryRun === true}`;
    const connection = await connect(url);
    const done = await interruptible((signal) => requestJson(connection, path, Vacuumed, { method: "POST", signal }));
    if (json) return void process.stdout.write(`${JSON.stringify(done, undefined, 2)}\n`);
    const { files } = done;
    for (const { key, bytes } of files) process.stdout.write(`${formatBytes(bytes).padStart(9)}  ${key}\n`);
    const size = formatBytes(files.reduce((sum, { bytes }) => sum + bytes, 0));
    if (files.length === 0) process.stdout.write("There is nothing to delete.\n");
    else if (dryRun)
      process.stdout.write(
        `${count(files.length, "file")}, ${size}, would be deleted: npx cais tables vacuum ${table}\n`,
      );
    else process.stdout.write(`${count(files.length, "file")}, ${size}, deleted.\n`);
  });

/** `cais tables rewind`: takes off a table's log what is newer than the ledger. */
export const rewindCommand = (pathOf: (table: string) => string): Command =>
  common(
    new Command("rewind").description("after a restore: take off a table's log what is newer than the ledger"),
    "Runs wait until this is done for each table whose log is ahead. Then what was loaded since is loaded again from\nthe input. What other programs wrote to the table since goes, too.",
  ).action(async (table: string, { url, json }: Options) => {
    const path = `${pathOf(table)}/rewind`;
    const connection = await connect(url);
    const done = await interruptible((signal) => requestJson(connection, path, Rewound, { method: "POST", signal }));
    if (json) return void process.stdout.write(`${JSON.stringify(done, undefined, 2)}\n`);
    const { version, versions } = done;
    const now = version === null ? "it begins anew" : `version ${version} is the newest now`;
    process.stdout.write(`${count(versions, "version")} taken off; ${now}.\n`);
  });
