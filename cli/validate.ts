import { existsSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { formatProblem, readStack, StackError, type StackFolder, type StackProblem } from "@cais/spec/read-stack.ts";
import { suggest } from "@cais/spec/suggest.ts";
import { Command } from "commander";
import { Failure } from "./failure.ts";
import { count } from "./planning.ts";
import { stacksFolder } from "./root.ts";

/** `cais validate`: every mistake of every stack at once, each at its place. */
export const validateCommand = (): Command =>
  new Command("validate")
    .description("check stack.yaml files: all mistakes at once, each with its place and remedy")
    .argument("[stack...]", "names in stacks/, or folders with a stack.yaml; all of stacks/ when none is given")
    .option("--json", "print one JSON object: { stacks, problems }")
    .addHelpText("after", "\nExit codes: 0 all are valid, 1 there are mistakes, 2 no such stack.")
    .action(async (names: string[], { json }: { json?: true }) => {
      const folders = names.length > 0 ? names.map(findFolder) : allFolders();
      const problems: StackProblem[] = [];
      for (const folder of folders) problems.push(...(await problemsOf(folder)));
      if (json)
        process.stdout.write(
          `${JSON.stringify({ stacks: folders.map((folder) => basename(folder)), problems }, undefined, 2)}\n`,
        );
      else report(folders, problems);
      if (problems.length > 0) process.exitCode = 1;
    });

async function problemsOf(folder: string): Promise<StackProblem[]> {
  try {
    return await sqlProblems(readStack(folder));
  } catch (error) {
    if (error instanceof StackError) return error.problems;
    throw error;
  }
}

/** What the engine would refuse at the first run: it is asked now, without a row. */
async function sqlProblems({ stack, sql, place }: StackFolder): Promise<StackProblem[]> {
  const { dryRun } = await import("@cais/processor/src/engine/dry-run.ts");
  return (await dryRun(stack, sql)).map(({ rule, table, line, path: at, message }) => {
    if (at !== undefined) return { ...place(at), message };
    if (rule !== undefined) return { ...place(["contract", "rules", rule, "check"]), message };
    const index = table ?? 0;
    const { file, path } = place(["tables", index, "sql"]);
    return { file: file.replace("stack.yaml", stack.tables[index]?.sql ?? ""), line, column: 1, path, message };
  });
}

function allFolders(): string[] {
  const entries = readdirSync(stacksFolder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return entries.map(({ name }) => join(stacksFolder, name)).toSorted();
}

/** A stack by its name, or any folder by a path that holds a stack.yaml. */
function findFolder(name: string): string {
  const known = allFolders().map((folder) => basename(folder));
  if (known.includes(name)) return join(stacksFolder, name);
  if (name !== "" && existsSync(join(name, "stack.yaml"))) return resolve(name);
  const nearest = suggest(name, known);
  throw new Failure(
    `there is no stack "${name}"; ${nearest ? `did you mean "${nearest}"?` : `there is ${known.join(", ") || "none yet in stacks/"}`}`,
    { exitCode: 2 },
  );
}

function report(folders: string[], problems: StackProblem[]) {
  for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
  if (folders.length === 0)
    process.stdout.write("There is no stack in stacks/ yet; CONTRIBUTING.md tells how to add one.\n");
  else
    process.stdout.write(
      `${count(folders.length, "stack")}, ${problems.length > 0 ? count(problems.length, "mistake") : "all valid"}\n`,
    );
}
