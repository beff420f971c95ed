import type { Run } from "@cais/spec/api.ts";

/**
 * What a webhook is told of a run that has ended: the same bytes at each attempt. Neither the error nor a cell is in it,
 * as who receives it may not see the file; who may asks the API for the run.
 */
export const eventOf = (run: Run): string =>
  JSON.stringify({
    type: `run.${run.state}`,
    timestamp: run.finishedAt ?? run.queuedAt,
    data: {
      run: run.id,
      stack: run.stack,
      kind: run.kind,
      root: run.root,
      state: run.state,
      file: { name: run.file.name, bytes: run.file.bytes, sha256: run.file.sha256 },
      rows: run.rows,
      tables: run.outputs.filter(({ kind }) => kind === "table").map(({ name, rows }) => ({ name, rows })),
    },
  });
