/** A real service or tool that tests talk to: `tests/peers/<name>/peer.ts` exports one as `peer`, beside its `*.test.ts`. */
export interface Peer {
  /** What `prepare` will install or start, in one line, told before it does so. */
  readonly installs: string;
  /** Makes it ready. The result is added to the tests' environment. Throws `Unavailable` where it cannot be had. */
  prepare(): Promise<Record<string, string>>;
  /** Stops what `prepare` started. */
  stop?(): Promise<void>;
}

/** The peer cannot be had on this machine: its tests are skipped and the reason is printed. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}
