import type { Run } from "@cais/spec/api.ts";

/** Whether the run's rows are in the tables. What fails after that, such as a delivery, leaves them there. */
export function isPublished({ steps }: Pick<Run, "steps">): boolean {
  return steps.some(({ name, finishedAt }) => name === "commit" && finishedAt !== null);
}
