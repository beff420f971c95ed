import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { StackFolder } from "@cais/spec/read-stack.ts";
import * as pulumi from "@pulumi/pulumi";
import type { DatabaseHost } from "../components/database/index.ts";
import type { EventsArgs } from "../components/events/index.ts";
import type { Pipeline } from "../components/processor/index.ts";
import type { Tags } from "../components/tags.ts";
import type { Settings } from "./keys.ts";
import { pipeline, type SecretReader, tagsOf } from "./pipeline.ts";

/** What the `program.ts` of a pipeline stack is given. */
export interface OwnProgramArgs {
  /** What its stack.yaml was made into: stores, events and secrets. */
  pipeline: Pipeline;
  /** For the components that it makes. Name them `<stack>-<role>`, so that they are no other stack's. */
  tags: Tags;
  /** Whether this environment lets the stack's data be deleted (`cais:deletable`). */
  allowDataDeletion: boolean;
  /** A secret of the config, `cais:secrets.<stack>.<name>`. */
  secret(name: string): pulumi.Output<string>;
}

/** The default export of a `program.ts`. What it gives is an output of the Pulumi stack, at `programs.<stack>`. */
export type OwnProgram = (
  args: OwnProgramArgs,
) => Promise<Record<string, unknown> | undefined> | Record<string, unknown> | undefined;

/**
 * What some pipeline stacks are made of, and what their own programs give, by stack. A `program.ts` in a stack's folder is
 * the way out for what its YAML cannot say. Throws a `RunError` when it exports no function.
 */
export async function compose(
  folders: StackFolder[],
  settings: Pick<Settings, "environment" | "deletable" | "secrets" | "databases">,
  secret: SecretReader,
  events: EventsArgs = {},
  database?: DatabaseHost,
): Promise<{ pipelines: Pipeline[]; programs: Record<string, Record<string, unknown>> }> {
  const pipelines: Pipeline[] = [];
  const programs: Record<string, Record<string, unknown>> = {};
  for (const folder of folders) {
    const { stack } = folder;
    const made = pipeline(folder, settings, secret, events, database);
    pipelines.push(made);
    const own = await ownProgramOf(folder);
    const outputs = await own?.({
      pipeline: made,
      tags: tagsOf(stack, settings.environment),
      allowDataDeletion: settings.deletable.includes(stack.name),
      secret: (name) => secret(stack.name, name),
    });
    if (outputs !== undefined) programs[stack.name] = outputs;
  }
  return { pipelines, programs };
}

async function ownProgramOf({ folder, stack }: StackFolder): Promise<OwnProgram | undefined> {
  const file = join(folder, "program.ts");
  if (!existsSync(file)) return undefined;
  const { default: own }: { default?: unknown } = await import(pathToFileURL(file).href);
  if (isOwnProgram(own)) return own;
  throw new pulumi.RunError(
    `stacks/${stack.name}/program.ts must export a function as its default (OwnProgram of programs/own-program.ts), and exports ${own === undefined ? "none" : `a ${typeof own}`}.`,
  );
}

const isOwnProgram = (value: unknown): value is OwnProgram => typeof value === "function";
