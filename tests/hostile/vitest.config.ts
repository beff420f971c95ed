import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

// npm run hostile: processors that are attacked, each in a process of its own. CI runs it with the largest sizes.
export default defineConfig({
  test: {
    include: ["tests/hostile/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // On a busy machine what is waited for takes longer than the second that is vitest's default.
    expect: { poll: { timeout: 20_000 } },
    maxWorkers: availableParallelism(),
    // What those processes compile is kept for the next one, which starts in half of the time.
    env: { NODE_COMPILE_CACHE: resolve(".cais/compile-cache") },
  },
});
