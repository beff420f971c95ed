import type { StackFolder } from "@cais/spec/read-stack.ts";
import { suggest } from "@cais/spec/suggest.ts";
import * as pulumi from "@pulumi/pulumi";
import type { Processor } from "../components/processor/index.ts";
import { runnerOn } from "../components/processor/runner.ts";
import { stackTarget } from "../components/target.ts";
import { takeOver } from "./handover.ts";
import { compose } from "./own-program.ts";
import { type SecretReader, tagsOf } from "./pipeline.ts";
import { eventsOf, processorOf } from "./processor.ts";
import { apiPort, holdsAll, type IsolatedSettings } from "./keys.ts";

/** A Pulumi stack for one pipeline stack alone. */
export interface Isolated {
  /** The Pulumi stack whose platform it runs on. */
  shared: string;
  folder: StackFolder;
}

/**
 * What the name of a Pulumi stack says: `<shared>.inmet` is the isolated pipeline stack `inmet` on the platform
 * of the Pulumi stack `<shared>`; a name without a dot is a shared stack's. Throws a `RunError` when there is no such pipeline stack.
 */
export function isolatedOf(pulumiStack: string, folders: StackFolder[]): Isolated | undefined {
  const dot = pulumiStack.lastIndexOf(".");
  if (dot === -1) return undefined;
  const [shared, name] = [pulumiStack.slice(0, dot), pulumiStack.slice(dot + 1)];
  const folder = folders.find(({ stack }) => stack.name === name);
  const isolated = folders.filter(({ stack }) => stack.isolated).map(({ stack }) => stack.name);
  if (folder === undefined) {
    const meant = suggest(name, isolated);
    throw new pulumi.RunError(
      `The name of the Pulumi stack ${pulumiStack} says that it is for the pipeline stack ${name}, and there is no stacks/${name}/stack.yaml; ${meant ? `did you mean ${shared}.${meant}?` : `the isolated ones are: ${isolated.join(", ") || "none"}.`}`,
    );
  }
  if (!folder.stack.isolated)
    throw new pulumi.RunError(
      `The Pulumi stack ${pulumiStack} is for the pipeline stack ${name}, which ${shared} deploys already; say \`isolated: true\` in stacks/${name}/stack.yaml, or remove Pulumi.${pulumiStack}.yaml.`,
    );
  return { shared, folder };
}

/** An isolated pipeline stack, with a processor of its own on the platform of the shared Pulumi stack. */
export async function isolated(
  { shared, folder }: Isolated,
  settings: IsolatedSettings,
  secret: SecretReader,
): Promise<{ processor: Processor; programs: Record<string, Record<string, unknown>> }> {
  const { stack } = folder;
  const { environment } = settings;
  const target = stackTarget();
  if (holdsAll(environment, target))
    throw new pulumi.RunError(
      `${shared} holds ${stack.name} already, since ${environment === "dev" ? "dev" : target} holds every pipeline stack; remove Pulumi.${shared}.${stack.name}.yaml.`,
    );
  if (!stack.environments.includes(environment))
    throw new pulumi.RunError(
      `The pipeline stack ${stack.name} asks for ${stack.environments.join(", ")}, and ${shared}.${stack.name} is ${environment}; add it to \`environments\` in stacks/${stack.name}/stack.yaml.`,
    );
  const { platform, host, database } = await takeOver(shared, settings.deletable.includes(stack.name));
  for (const [key, own] of [
    ["environment", environment],
    ["target", target],
  ] as const)
    if (platform[key] !== own)
      throw new pulumi.RunError(
        `cais:${key} is ${own}, and the shared stack ${shared} is ${platform[key]}; set it with: pulumi config set cais:${key} ${platform[key]} --stack ${shared}.${stack.name}`,
      );
  // Before the first secret is asked for: all that are missing are told at once.
  const cluster = await runnerOn(host);
  const tags = tagsOf(stack, environment);
  const { port = apiPort, allowFrom = [] } = platform.isolated[stack.name] ?? {};
  const events = eventsOf(settings.platform, tags, secret);
  const { pipelines, programs } = await compose([folder], settings, secret, events, database);
  const image = settings.image ?? platform.image;
  const { trustedProxies } = platform;
  const args = { tags, pipelines, cluster, image, port, allowFrom, trustedProxies };
  const processor = processorOf(`${stack.name}-processor`, args, settings.platform, secret);
  return { processor, programs };
}
