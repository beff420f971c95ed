import type { TFunction } from "i18next";

const sinkKinds = ["csv", "parquet", "bi", "webhook", "database"] as const;

/** Says in words what a step does; one that the page does not know yet keeps its name. */
export function stepName(name: string, t: TFunction): string {
  const [noun, first, second] = name.split("/");
  if (name === "contract") return t("run.stepContract");
  if (name === "commit") return t("run.stepCommit");
  if (noun === "tables" && first !== undefined) return t("run.stepTable", { table: first });
  if (noun === "merge" && first !== undefined) return t("run.stepMerge", { table: first });
  const kind = noun === "sinks" ? sinkKinds.find((known) => known === first) : undefined;
  if (kind !== undefined && second !== undefined) {
    // Files are written within the run; for other receivers the step only keeps what they are to get.
    const isWritten = kind === "csv" || kind === "parquet";
    return t(isWritten ? "run.stepSink" : "run.stepQueue", { table: second, kind: t(`sink.${kind}`) });
  }
  if (name === "after/archive" || name === "after/delete")
    return t(name === "after/archive" ? "run.stepArchive" : "run.stepDelete");
  return name;
}
