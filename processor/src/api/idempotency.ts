import { z } from "zod";
import { ApiProblem, problemResponse } from "./problems.ts";

/** A structured string, or bare as many clients send it. */
const IdempotencyKey = z
  .string()
  .regex(
    /^("[\x21\x23-\x5B\x5D-\x7E]{1,255}"|[\x21\x23-\x5B\x5D-\x7E]{1,255})$/,
    "must be 1 to 255 letters, digits and signs",
  )
  .transform((key) => key.replaceAll('"', ""));

/**
 * Headers of a request that its sender may repeat without harm, because it has a name
 * (https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header).
 */
export const IdempotencyHeaders = z.looseObject({
  "idempotency-key": IdempotencyKey.optional().describe(
    "A name for this request, such as a UUID. Sent again with the same content, it is answered with the same run.",
  ),
});

export const idempotencyProblems = {
  409: problemResponse("A request with this Idempotency-Key is still in progress."),
  422: problemResponse("This Idempotency-Key was used for another content."),
};

/** Does work for one request of a key at a time, refusing others meanwhile. What is done already the ledger knows. */
export function oneAtATime(): <Result>(
  headers: z.output<typeof IdempotencyHeaders>,
  stack: string,
  work: (key: { idempotencyKey?: string }) => Promise<Result>,
) => Promise<Result> {
  const inProgress = new Set<string>();
  return async (headers, stack, work) => {
    const idempotencyKey = headers["idempotency-key"];
    if (idempotencyKey === undefined) return work({});
    const claimed = `${stack} ${idempotencyKey}`;
    if (inProgress.has(claimed))
      throw new ApiProblem(
        "in-progress",
        "A request with this Idempotency-Key is still in progress; wait for its answer, or send it again later.",
      );
    inProgress.add(claimed);
    try {
      return await work({ idempotencyKey });
    } finally {
      inProgress.delete(claimed);
    }
  };
}
