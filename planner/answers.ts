import type { Json, Properties } from "./value.ts";

/** What an answer may depend on besides the arguments: the stack and its config, secrets masked. */
export interface AnswerContext {
  /** The project's name. */
  name: string;
  stack: string;
  config: ReadonlyMap<string, string>;
}

/** The result of a data source; a value that only the cloud knows is `unknown` of `planner/value.ts`. */
export type Answer = (args: Properties, context: AnswerContext) => { [key: string]: Json };

/**
 * The offline answers to data sources (invokes), by token: `"openstack:images/getImage:getImage": ({ name }) => …`.
 * An answer says what is true on every machine and needs no cloud. A data source that is not here fails the plan:
 * a made-up result would end up in names and arguments.
 */
export const answers: Readonly<Record<string, Answer>> = {};
