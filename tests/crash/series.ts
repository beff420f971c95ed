import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Death, runChain, runUndisturbed } from "./chain.ts";
import type { Load } from "./load.ts";
import { killAll } from "./processor.ts";

/** What became of one seed. */
export interface SeedResult {
  seed: number;
  deaths: Death[];
  /** What is wrong; null: nothing. */
  wrong: string | null;
  /** Where the data of its chain of seeds is kept; null: removed, because nothing is wrong. */
  folder: string | null;
  seconds: number;
}

export interface SeriesOptions {
  seeds: number[];
  load: Load;
  /** Holds a folder per chain of seeds. */
  folder: string;
  /** Chains under way at a time. */
  atATime: number;
  /** Hears of each seed that is done. */
  onSeed?: (result: SeedResult) => void;
  /** No seed is begun after it. */
  signal?: AbortSignal;
}

/** Seeds that follow each other in one data folder: as many restarts, over which nothing may pile up. */
const CHAIN = 25;

/** Where so many seeds go wrong, more would tell nothing new. */
const ENOUGH = 10;

/** Runs the load undisturbed and then every seed; gives the results in the order of the seeds. Ends early where ten are wrong. */
export async function runSeries({
  seeds,
  load,
  folder,
  atATime,
  onSeed,
  signal,
}: SeriesOptions): Promise<SeedResult[]> {
  const undisturbed = await runUndisturbed(join(folder, "undisturbed"), load);
  await rm(join(folder, "undisturbed"), { recursive: true });
  const length = Math.min(CHAIN, Math.ceil(seeds.length / atATime));
  const chains = Array.from({ length: Math.ceil(seeds.length / length) }, (_, index) =>
    seeds.slice(index * length, (index + 1) * length),
  );
  const results: SeedResult[] = [];
  const isStopped = () => signal?.aborted === true;
  const isEnough = () => results.filter(({ wrong }) => wrong !== null).length >= ENOUGH;
  const worker = async () => {
    for (let chain = chains.shift(); chain !== undefined && !isStopped() && !isEnough(); chain = chains.shift()) {
      const left = [...chain];
      const own = join(folder, `seeds-${chain[0]}-${chain.at(-1)}`);
      let start = performance.now();
      let deaths: Death[] = [];
      const end = (result: Pick<SeedResult, "seed" | "wrong" | "folder">) => {
        const done = { ...result, deaths, seconds: (performance.now() - start) / 1000 };
        start = performance.now();
        deaths = [];
        results.push(done);
        onSeed?.(done);
      };
      try {
        await runChain(chain, own, undisturbed, {
          onDeath: (death) => deaths.push(death),
          onSeed(seed) {
            left.shift();
            end({ seed, wrong: null, folder: null });
          },
        });
        await rm(own, { recursive: true });
      } catch (error) {
        killAll(own);
        // A test that is stopped kills its processors, and that is no finding.
        if (isStopped()) return;
        const wrong = error instanceof Error ? error.message : String(error);
        const seed = left.shift() ?? chain.at(-1) ?? 0;
        end({ seed, wrong, folder: own });
        // The others of the chain go on in a folder in which nothing is wrong.
        if (left.length > 0) chains.push(left);
      }
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  return results.toSorted((a, b) => a.seed - b.seed);
}

/** How often a processor died in each step, and at each operation; one death may be in the steps of two runs. */
export function histogram(results: SeedResult[]): {
  steps: Record<string, number>;
  operations: Record<string, number>;
} {
  const deaths = results.flatMap((result) => result.deaths);
  return {
    steps: countOf(deaths.flatMap(({ steps }) => steps)),
    operations: countOf(deaths.map(({ at }) => at.replace(/^(before|within|after) /, ""))),
  };
}

function countOf(names: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names.toSorted()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
