import { platformName } from "@cais/spec/names.ts";
import type { Stack } from "@cais/spec/stack.ts";
import * as pulumi from "@pulumi/pulumi";
import { Database, type DatabaseHost, databaseTargets, databaseUrl } from "../components/database/index.ts";
import type { Network } from "../components/network/index.ts";
import { provides, stackTarget } from "../components/target.ts";
import type { Settings } from "./keys.ts";
import { noEffect } from "./no-effect.ts";
import type { SecretReader } from "./pipeline.ts";

/** The database's password, which isolated stacks that take it are given, too. */
const password = (secret: SecretReader) => secret(platformName, "database");

/** The database that the environment's stacks may take. */
export function databaseOf(
  { platform: { database }, deletable }: Settings,
  network: Network,
  secret: SecretReader,
): DatabaseHost | undefined {
  if (database === undefined) return undefined;
  const allowDataDeletion = deletable.includes(platformName);
  return new Database("database", { ...database, network, password: password(secret), allowDataDeletion }).host;
}

/**
 * The address of the database that a stack takes, and the secret of the stack that is this address. Throws a `RunError` when
 * there is no database, or no sink that asks for it.
 */
export function takenBy(
  { name: stack, sinks }: Stack,
  { databases = {} }: Pick<Settings, "databases">,
  secret: SecretReader,
  database: DatabaseHost | undefined,
): { name: string; url: pulumi.Output<string> } | undefined {
  const name = databases[stack];
  if (name === undefined) return undefined;
  const key = `cais:databases.${stack}`;
  const target = stackTarget();
  const entry = databaseTargets[target];
  if (!provides(entry)) throw noEffect(key, target, entry.omitted);
  const asked = sinks.flatMap(({ database }) => database?.url.secret ?? []);
  if (!asked.includes(name))
    throw new pulumi.RunError(
      `${key} is ${name}, and no \`database\` sink of the stack has that as its url; ${asked.length === 0 ? "it has no such sink" : `there is ${asked.join(", ")}`}. Set it with: pulumi config set --path '${key}' <name>`,
    );
  if (database === undefined)
    throw new pulumi.RunError(
      `${key} takes a database, and the platform has none; say what it is, beginning with: pulumi config set --path 'cais:platform.database.version' --type string <version>`,
    );
  return { name, url: databaseUrl(database, password(secret)) };
}
