import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Begins with what takes longest, or it would run alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) =>
      /\/tests\/(crash\/crash|end-to-end|hostile\/files\/rows)\./.test(moduleId);
    return (await super.sort(files)).toSorted((one, other) => Number(isLong(other)) - Number(isLong(one)));
  }
}

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    // Real services have a runner of their own: npm run test:peers.
    exclude: [...configDefaults.exclude, "tests/peers/**", ".cais/**"],
    testTimeout: 30_000,
    // On a busy machine what is waited for takes longer than the second that is vitest's default.
    expect: { poll: { timeout: 20_000 } },
    sequence: { sequencer: LongestFirst },
    // Many tests wait for processes that they start, so one for each processor would leave nearly half of them idle.
    maxWorkers: 2 * availableParallelism(),
    // What those processes compile is kept for the next one, which starts in half of the time.
    env: { NODE_COMPILE_CACHE: resolve(".cais/compile-cache") },
  },
});
