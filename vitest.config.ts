import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    // Real services have a runner of their own: npm run test:peers.
    exclude: [...configDefaults.exclude, "tests/peers/**", ".cais/**"],
    testTimeout: 30_000,
    // On a busy machine what is waited for takes longer than the second that is vitest's default.
    expect: { poll: { timeout: 20_000 } },
    // Many tests wait for processes that they start, so one for each processor would leave nearly half of them idle.
    maxWorkers: 2 * availableParallelism(),
    // What those processes compile is kept for the next one, which starts in half of the time.
    env: { NODE_COMPILE_CACHE: resolve(".cais/compile-cache") },
  },
});
