import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    // Real services have a runner of their own: npm run test:peers.
    exclude: [...configDefaults.exclude, "tests/peers/**", ".cais/**"],
    testTimeout: 30_000,
  },
});
