import { constants } from "node:os";

/** A failure to tell the user in a sentence, without a stack trace. Exit code 1: the work failed; 2: the command was wrong. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly exitCode: number;

  constructor(message: string, options: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.exitCode = options.exitCode ?? 1;
  }
}

/** A signal ended a command: nothing went wrong. The exit code is the one of shells, 130 for Ctrl-C. */
export class Interruption extends Error {
  override readonly name = "Interruption";
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM", message: string, cause?: unknown) {
    super(message, { cause });
    this.exitCode = 128 + constants.signals[signal];
  }

  /** Says so on a line of its own and gives the exit code. */
  tell(): number {
    process.stderr.write(`\nInterrupted: ${this.message}\n`);
    return this.exitCode;
  }
}
