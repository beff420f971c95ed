import { resolve } from "node:path";
import { configDefaults, defineConfig } from "vitest/config";

// Real services have a runner of their own: npm run test:peers.
const exclude = [...configDefaults.exclude, "tests/peers/**", ".cais/**"];
/** Pulumi keeps what a program made in the process, so each of these files has one of its own. */
const pulumi = ["components", "planner", "policies", "programs"].map((folder) => `${folder}/**/*.test.ts`);

export default defineConfig({
  test: {
    testTimeout: 30_000,
    // Many tests wait for processes that they start, so one at a time would leave half of two processors idle.
    maxWorkers: "100%",
    // What those processes compile is kept for the next one, which starts in half of the time.
    env: { NODE_COMPILE_CACHE: resolve(".cais/compile-cache") },
    projects: [
      { extends: true, test: { name: "deploy", include: pulumi, exclude } },
      // The others share two processes: to start one for each file takes longer than many a file's tests.
      {
        extends: true,
        test: { name: "run", include: ["**/*.test.ts"], exclude: [...exclude, ...pulumi], isolate: false },
      },
    ],
  },
});
