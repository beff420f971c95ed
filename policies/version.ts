/**
 * When support of a version ends, oldest first, by what those who publish it say. What is not listed ended no later than
 * the next version that is; what is newer than the last is taken for supported.
 * https://kubernetes.io/releases/ https://www.postgresql.org/support/versioning/ https://endoflife.date/mysql https://endoflife.date/mariadb
 */
const ends = {
  kubernetes: [
    ["1.32", "2026-02-28"],
    ["1.33", "2026-06-28"],
    ["1.34", "2026-10-27"],
    ["1.35", "2027-02-28"],
    ["1.36", "2027-06-28"],
  ],
  postgresql: [
    ["13", "2025-11-13"],
    ["14", "2026-11-12"],
    ["15", "2027-11-11"],
    ["16", "2028-11-09"],
  ],
  mysql: [
    ["5.7", "2023-10-31"],
    ["8.0", "2026-04-30"],
    ["8.3", "2024-04-10"],
    ["8.4", "2032-04-30"],
    ["9.6", "2026-04-21"],
  ],
  mariadb: [
    ["10.5", "2025-06-24"],
    ["10.6", "2026-07-06"],
    ["10.10", "2023-11-17"],
    ["10.11", "2028-02-16"],
  ],
} as const satisfies Record<string, readonly (readonly [version: string, end: string])[]>;

export type Product = keyof typeof ends;
export const isProduct = (name: string): name is Product => Object.hasOwn(ends, name);

/** The day (UTC) by which the support of a version such as `v1.33.4-rancher1` or `8.0` had ended. Undefined: it is supported, or no version. */
export function endOfSupport(product: Product, version: string, now: Date): string | undefined {
  const wanted = numbersOf(version);
  if (!wanted) return undefined;
  const found = ends[product].find(([listed]) => compare(wanted, numbersOf(listed) ?? []) <= 0);
  return found && new Date(`${found[1]}T23:59:59Z`) < now ? found[1] : undefined;
}

const numbersOf = (version: string): number[] | undefined =>
  /^v?(\d+(?:\.\d+)?)/.exec(version)?.[1]?.split(".").map(Number);

/** By as many numbers as the listed version has: 16.3 is PostgreSQL 16. */
function compare(wanted: readonly number[], listed: readonly number[]): number {
  for (const [index, number] of listed.entries()) {
    const difference = (wanted[index] ?? 0) - number;
    if (difference !== 0) return difference;
  }
  return 0;
}
