import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

// Pulumi keeps the program that is under way for the whole process, so each of these files gets one of its own.
const programs = ["components/**/*.test.ts", "programs/**/*.test.ts"];

// Real services and attacks have runners of their own: npm run test:peers, npm run hostile.
const exclude = [...configDefaults.exclude, "tests/peers/**", "tests/hostile/**", ".cais/**"];

const isFirst = ({ moduleId }: TestSpecification) => Number(moduleId.endsWith("/tests/crash/crash.test.ts"));

/** Large files begin first. The crash test is a small one that takes longest, and at the end all would wait for it. */
class CrashFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const bySize = await BaseSequencer.prototype.sort.call(this, files);
    return bySize.toSorted((a, b) => isFirst(b) - isFirst(a));
  }
}

export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // On a busy machine what is waited for takes longer than the second that is vitest's default.
    expect: { poll: { timeout: 20_000 } },
    // Many tests wait for processes that they start, so one for each processor would leave nearly half of them idle.
    maxWorkers: 2 * availableParallelism(),
    sequence: { sequencer: CrashFirst },
    // What those processes compile is kept for the next one, which starts in half of the time.
    env: { NODE_COMPILE_CACHE: resolve(".cais/compile-cache") },
    projects: [
      // They begin as a deployment does.
      { extends: true, test: { name: "programs", include: programs, exclude, setupFiles: ["programs/lean.ts"] } },
      // Loading the same modules anew for each file took a seventh of the whole time.
      {
        extends: true,
        test: { name: "others", include: ["**/*.test.ts"], exclude: [...exclude, ...programs], isolate: false },
      },
    ],
  },
});
