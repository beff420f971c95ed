import { describe } from "vitest";
import { claimsConform } from "./conformance/claims.ts";
import { commitsConform } from "./conformance/commits.ts";
import { contributionsConform } from "./conformance/contributions.ts";
import { crashConforms } from "./conformance/crash.ts";
import { deliveriesConform } from "./conformance/deliveries.ts";
import { publicationsConform } from "./conformance/publications.ts";
import { queueConforms } from "./conformance/queue.ts";
import { type Kept, subjectOf } from "./conformance/subject.ts";

/** What every driver must do. `make` gives a place for one new ledger. */
export function behavesAsLedger(make: () => Promise<Kept>): void {
  describe("behaves as a ledger:", () => {
    const subject = subjectOf(make);
    claimsConform(subject);
    queueConforms(subject);
    commitsConform(subject);
    publicationsConform(subject);
    contributionsConform(subject);
    deliveriesConform(subject);
    crashConforms(subject);
  });
}
