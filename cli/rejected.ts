import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { Command, Option } from "commander";
import { connect, request, tokenHelp } from "./client.ts";
import { Failure } from "./failure.ts";

interface Options {
  url?: string;
  csv?: true;
  editable?: true;
  out?: string;
}

/** `cais rejected`: the rows of a run that were refused, to read or to edit. */
export const rejectedCommand = (): Command =>
  new Command("rejected")
    .description("print the rows that a run refused and why, or those still open as a CSV to edit")
    .argument("<run>", "a run of the file")
    .option("--csv", "one line a mistake as CSV; without it as JSON")
    .addOption(new Option("--editable", "the file's open rows with their own columns, as CSV to edit").conflicts("csv"))
    .option("--out <file>", "write a new file instead of the standard output")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText(
      "after",
      `
Edit the file that --editable gives (the columns "cais …" say which row is which), and send it with
  npx cais replay RUN --with FILE --wait
${tokenHelp}
Exit codes: 0 done, 1 there is no such run or nothing to edit, 2 wrong usage.`,
    )
    .action(async (id: string, { url, csv, editable, out }: Options) => {
      const format = editable ? "editable" : csv ? "csv" : "ndjson";
      const connection = await connect(url);
      const { body } = await request(connection, `/v1/runs/${encodeURIComponent(id)}/rejected?format=${format}`);
      if (out === undefined) {
        for await (const chunk of body ?? []) if (!process.stdout.write(chunk)) await once(process.stdout, "drain");
        return;
      }
      await writeNew(out, body ?? []);
      process.stderr.write(
        `${out} is written.${editable ? ` Edit it, then: npx cais replay ${id} --with ${out} --wait` : ""}\n`,
      );
    });

/** Writes a file that was not there: one with edits in it is easily named again. What broke off is removed. */
async function writeNew(path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  try {
    await writeFile(path, chunks, { flag: "wx" });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST")
      throw new Failure(`${path} is there already; remove it or name another`, { exitCode: 2, cause });
    await rm(path, { force: true });
    throw new Failure(`${path} could not be written whole: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
