import { relative } from "node:path";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

/**
 * Ends a run with a line `FAILED where: why` for each failure and the line `N passed, N failed, N skipped`:
 * .ci/run repeats the former and adds up the latter.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]) {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const failures: string[] = [];
    const fail = (where: string, error: SerializedError | undefined) => {
      counts.failed++;
      failures.push(`FAILED ${where}: ${(error?.message ?? "no reason told").replaceAll(/\s+/g, " ").slice(0, 500)}`);
    };
    for (const error of errors) fail("outside any test", error);
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      // A file that cannot be loaded has no tests, and must not pass for that.
      if (module.errors().length > 0) fail(file, module.errors()[0]);
      for (const test of module.children.allTests()) {
        const { state, errors: reasons } = test.result();
        if (state === "passed" || state === "skipped") counts[state]++;
        else fail(`${file} > ${test.fullName}`, reasons?.[0]);
      }
    }
    process.stdout.write(
      `\n${failures.map((failure) => `${failure}\n`).join("")}${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
    );
  }
}
