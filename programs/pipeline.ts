import { type Environment, tempUrlKey } from "@cais/spec/names.ts";
import type { StackFolder } from "@cais/spec/read-stack.ts";
import { secretsOf } from "@cais/spec/sinks.ts";
import type { Stack } from "@cais/spec/stack.ts";
import type * as pulumi from "@pulumi/pulumi";
import { Budget } from "../components/budget/index.ts";
import type { DatabaseHost } from "../components/database/index.ts";
import { Events, type EventsArgs } from "../components/events/index.ts";
import { ObjectStore, type ObjectStoreArgs } from "../components/object-store/index.ts";
import type { Pipeline } from "../components/processor/index.ts";
import { Secret, secretTargets, stackSecret } from "../components/secret/index.ts";
import type { Tags } from "../components/tags.ts";
import { stackTarget } from "../components/target.ts";
import { takenBy } from "./database.ts";
import type { Settings } from "./keys.ts";

/** Finds a secret of the config by stack and name. */
export type SecretReader = (stack: string, name: string) => pulumi.Output<string>;

/** The tags of all that belongs to a pipeline stack. */
export const tagsOf = ({ owner, name, costCentre = owner }: Stack, environment: Environment): Tags => ({
  owner,
  stack: name,
  environment,
  costCentre,
});

/** What one pipeline stack needs: its three stores, its secrets and how the processor hears of a new file. */
export function pipeline(
  { stack, sql }: StackFolder,
  settings: Pick<Settings, "environment" | "deletable" | "secrets" | "databases">,
  secret: SecretReader,
  events: EventsArgs = {},
  database?: DatabaseHost,
): Pipeline {
  const { deletable } = settings;
  const keepsValues = !("value" in secretTargets[stackTarget()].unsupported);
  const tags = tagsOf(stack, settings.environment);
  const allowDataDeletion = deletable.includes(stack.name);
  const store = (role: string, options: Pick<ObjectStoreArgs, "versioned" | "announced" | "tempUrlKey"> = {}) =>
    new ObjectStore(`${stack.name}-${role}`, { tags, role, allowDataDeletion, ...options });
  if (stack.budget) void new Budget(stack.name, { stack: stack.name, ...stack.budget });
  const isSigned = settings.secrets?.[stack.name]?.[tempUrlKey] === true;
  const taken = takenBy(stack, settings, secret, database);
  const secrets = Object.fromEntries(
    [...secretsOf(stack), ...(isSigned ? [tempUrlKey] : [])].map((name) => {
      // A target that keeps no values refuses one that is set, and misses none.
      const isGiven = keepsValues || settings.secrets?.[stack.name]?.[name] === true;
      const value = name === taken?.name ? taken.url : isGiven ? secret(stack.name, name) : undefined;
      return [name, new Secret(stackSecret(stack.name, name), { tags, value })];
    }),
  );
  return {
    stack,
    sql,
    // What is made from the input can be made again; keeping each of its versions would only grow.
    stores: {
      input: store("input", {
        announced: events.kind === "webhook",
        ...(isSigned && { tempUrlKey: secrets[tempUrlKey] }),
      }),
      lake: store("lake", { versioned: false }),
      output: store("output", { versioned: false }),
    },
    events: new Events(stack.name, events),
    secrets,
  };
}
