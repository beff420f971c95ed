import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/peers/**/*.test.ts"],
    // A real service is started once and shared: one file after the other keeps its load, and so its answers, steady.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // A page on a busy machine takes longer than the second that is vitest's default.
    expect: { poll: { timeout: 20_000 } },
  },
});
