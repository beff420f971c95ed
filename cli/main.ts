import { Command } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { StackError } from "@cais/spec/read-stack.ts";
import { auditCommand } from "./audit.ts";
import { checkCommand } from "./check.ts";
import { deliveriesCommand } from "./deliveries.ts";
import { Failure, Interruption } from "./failure.ts";
import { gcCommand } from "./gc.ts";
import { ingestCommand } from "./ingest.ts";
import { matrixCommand } from "./matrix.ts";
import { planCommand } from "./plan.ts";
import { policiesCommand } from "./policies.ts";
import { queryCommand } from "./query.ts";
import { rejectedCommand } from "./rejected.ts";
import { replayCommand } from "./replay.ts";
import { rerunCommand } from "./rerun.ts";
import { runsCommand } from "./runs.ts";
import { schemaCommand } from "./schema.ts";
import { startCommand } from "./start.ts";
import { tablesCommand } from "./tables.ts";
import { tokenCommand } from "./token.ts";
import { validateCommand } from "./validate.ts";

const program = new Command("cais")
  .description("Data-ingestion pipelines as code: plan, review, run and feed them.")
  .version(packageJson.version)
  // Else --version of a command would be taken for this one.
  .enablePositionalOptions()
  .showHelpAfterError("(cais --help tells more)")
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "cais: ")) });

for (const command of [
  startCommand(),
  ingestCommand(),
  runsCommand(),
  tablesCommand(),
  queryCommand(),
  rejectedCommand(),
  replayCommand(),
  rerunCommand(),
  deliveriesCommand(),
  gcCommand(),
  tokenCommand(),
  auditCommand(),
  validateCommand(),
  planCommand(),
  checkCommand(),
  schemaCommand(),
  matrixCommand(),
  policiesCommand(),
])
  program.addCommand(command.copyInheritedSettings(program));

// A reader that has seen enough, such as `head`, closes the pipe: that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

program.exitOverride();
for (const command of program.commands.flatMap((command) => [command, ...command.commands]))
  command.copyInheritedSettings(program).exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = tell(error);
}

function tell(error: unknown): number {
  if (isCommanderExit(error)) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof Interruption) return error.tell();
  if (error instanceof Failure) {
    process.stderr.write(`cais: ${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof StackError) {
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
  // Nothing expected: a mistake of ours, so show where.
  process.stderr.write(
    `cais: unexpected failure, please report it: ${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return 1;
}

function isCommanderExit(error: unknown): error is { exitCode: number } {
  return (
    error instanceof Error && "code" in error && String(error.code).startsWith("commander.") && "exitCode" in error
  );
}
