import type { Action } from "@cais/spec/access.ts";

/** Who asks, as far as is known. */
export interface Caller {
  /** The token's id; null for the administrator and for whoever asks on loopback without a token. */
  readonly token: string | null;
  /** The token's name, `administrator` or `local`. */
  readonly name: string;
  readonly stacks: "all" | readonly string[];
  readonly actions: readonly Action[];
}

/** Whoever reaches a processor that listens on loopback and has no token. */
export const local: Caller = { token: null, name: "local", stacks: "all", actions: ["admin"] };

/** Whoever has the token of the config. */
export const administrator: Caller = { token: null, name: "administrator", stacks: "all", actions: ["admin"] };

/** Whoever has not said who they are yet. */
export const nobody: Caller = { token: null, name: "nobody", stacks: [], actions: [] };

export const mayDo = ({ actions }: Caller, action: Action): boolean =>
  actions.includes(action) || actions.includes("admin");

/** Whether a stack's runs, files and tables are this caller's to know of. */
export const sees = ({ stacks }: Caller, stack: string): boolean => stacks === "all" || stacks.includes(stack);

declare module "fastify" {
  interface FastifyContextConfig {
    /** What a caller must be allowed to do. Every route below /v1 says so. */
    action?: Action;
    /** The name in the audit log of what a route changes. Every route below /v1 that is no GET says so. */
    change?: string;
    /** A route that only says which methods there are. */
    refusesMethods?: true;
  }
  interface FastifyRequest {
    /** Who asks. Known for every request below /v1 before its route sees it; `nobody` elsewhere. */
    caller: Caller;
    /** What a change concerned, for the audit log, where the address does not say it: a run's or token's id. */
    concerns: string | null;
    /** The code of the problem that is answered. */
    problem: string | null;
  }
}
