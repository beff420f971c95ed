import { z } from "zod";

const text = z.string().optional().catch(undefined);

/** As much of a sink as the rules of bi look at. */
export const readableBi = {
  table: text,
  rows: text,
  replace: z.boolean().optional().catch(undefined),
  url: z.unknown(),
  token: z.unknown(),
  refresh: z.unknown(),
};
type ReadableBi = Partial<z.output<z.ZodObject<typeof readableBi>>>;

/** Whether the rows in Power BI are deleted before a table is pushed. */
export const replacesRows = (replace: boolean | undefined, disposition: string | undefined): boolean =>
  replace ?? (disposition === "replace" || disposition === "merge");

/** The rules of a bi sink, beside its shape. */
export function checkBi(
  { table: name, url, token, refresh, rows, replace }: ReadableBi,
  tables: readonly { name?: string | undefined; layer?: string | undefined; disposition?: string | undefined }[],
  report: (key: string | undefined, message: string) => void,
): void {
  if (name === undefined && refresh === undefined)
    return report(undefined, "has nothing to do; give it table and url, or refresh, or all of them");
  if (refresh !== undefined && token === undefined)
    report("refresh", "needs token: a dataset is refreshed by an application");
  if (name === undefined) return url !== undefined ? report("url", "needs table: what is pushed to it") : undefined;
  if (url === undefined) report("table", "needs url: where its rows are pushed");
  const table = tables.find((one) => one.name === name);
  if (table === undefined) return;
  if (table.layer !== "gold" && rows !== "all")
    report("table", `"${name}" is ${table.layer ?? "no gold table"}; push a gold table, or say rows: all`);
  if (replacesRows(replace, table.disposition) && token === undefined)
    report(
      replace === undefined ? "table" : "replace",
      `each run makes the rows of "${name}" anew, so those in Power BI are deleted first, which needs token; or say replace: false, and they are added each time`,
    );
}
