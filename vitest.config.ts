import { resolve } from "node:path";
import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    // Real services have a runner of their own: npm run test:peers.
    exclude: [...configDefaults.exclude, "tests/peers/**", ".cais/**"],
    testTimeout: 30_000,
    // Many tests wait for processes that they start, so one at a time would leave half of two processors idle.
    maxWorkers: "100%",
    // What those processes compile is kept for the next one, which starts in half of the time.
    env: { NODE_COMPILE_CACHE: resolve(".cais/compile-cache") },
  },
});
