import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { SecretName } from "@cais/spec/names.ts";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import type { Processor } from "../components/processor/index.ts";
import { stackTarget } from "../components/target.ts";
import { databaseOf } from "./database.ts";
import { handOver, type Handover } from "./handover.ts";
import { isolated, type Isolated, isolatedOf } from "./isolated.ts";
import type { SecretReader } from "./pipeline.ts";
import { compose } from "./own-program.ts";
import { platform, platformTags, sharedProcessor, trustedProxiesOf } from "./platform.ts";
import { eventsOf } from "./processor.ts";
import { holdsAll, opened, type Settings } from "./keys.ts";
import { readIsolatedSettings, readSettings } from "./settings.ts";
import { stacksOf } from "./stacks.ts";

const stacks = stacksOf(fileURLToPath(new URL("../stacks", import.meta.url)));
const config = pulumi.runtime.allConfig();
const apart = isolatedOf(pulumi.getStack(), stacks);

const Secrets = z.record(z.string(), z.record(SecretName, z.string()));
const secrets = new pulumi.Config("cais").getSecretObject<unknown>("secrets") ?? pulumi.output({});
const asked: string[][] = [];
const secret: SecretReader = (...key) => {
  const [stack, name] = key;
  if (!asked.some((other) => other.join() === key.join())) asked.push(key);
  return secrets.apply((given) => {
    const { data, error } = Secrets.safeParse(given);
    if (error)
      throw new pulumi.RunError(
        `cais:secrets must hold texts at <stack>.<name>; ${z.prettifyError(error).replaceAll(/\s+/g, " ")}`,
      );
    const value = data[stack]?.[name];
    // All that are missing are told at once. By now each was asked for.
    if (value === undefined)
      throw new pulumi.RunError(missing(asked.filter(([part = "", key = ""]) => data[part]?.[key] === undefined)));
    return value;
  });
};

function missing(keys: string[][]): string {
  const commands = keys.map((key) => `pulumi config set --secret --path 'cais:secrets.${key.join(".")}'`);
  return keys.length === 1
    ? `The secret ${keys[0]?.join(".")} is missing; set it with: ${commands[0]}`
    : `${keys.length} secrets are missing; set them with:\n  ${commands.join("\n  ")}`;
}

interface Outputs extends Partial<Handover> {
  /** The config that the processor reads. Absent where every pipeline stack has its own. */
  processor?: Processor["config"];
  /** Where the load balancer is called, for whoever gives it a name. */
  address?: pulumi.Output<string>;
  /** What the pipeline stacks' own programs give, by stack. */
  programs?: Record<string, Record<string, unknown>>;
}

// One value: an export by name that is not there would be a warning in each deployment.
const outputs = apart ? await deployIsolated(apart) : await deployShared();
export default outputs;

async function deployIsolated(found: Isolated): Promise<Outputs> {
  const settings = readIsolatedSettings(config, found.folder.stack.name);
  const { processor, programs } = await isolated(found, settings, secret);
  warnOfUnused(settings.secrets);
  return { processor: processor.config, ...(isEmpty(programs) ? {} : { programs }) };
}

async function deployShared(): Promise<Outputs> {
  const target = stackTarget();
  const settings = readSettings(config, {
    pulumiStack: pulumi.getStack(),
    target,
    stacks: stacks.map(({ stack }) => stack),
  });
  const { environment, image } = settings;
  const asked = stacks.filter(({ stack }) => stack.environments.includes(environment));
  const here = asked.filter(({ stack }) => !stack.isolated || holdsAll(environment, target));
  for (const { stack } of asked) if (stack.isolated && !holdsAll(environment, target)) warnUnlessDeployed(stack.name);
  const hasProcessor = here.length > 0 || asked.length === 0;
  // Before the first secret is asked for: all that are missing are told at once.
  const { network, cluster, runner, balancer } = await platform(settings, hasProcessor);
  const database = network && databaseOf(settings, network, secret);
  const events = eventsOf(settings.platform, platformTags(settings), secret);
  const { pipelines, programs } = await compose(here, settings, secret, events, database);
  const processor = hasProcessor ? sharedProcessor(settings, pipelines, secret, runner) : undefined;
  warnOfUnused(settings.secrets);
  return {
    ...(processor && { processor: processor.config }),
    ...(cluster &&
      handOver(
        { environment, target, image, isolated: opened(settings), trustedProxies: trustedProxiesOf(settings) },
        cluster.host,
        database,
      )),
    ...(balancer && { address: balancer.address }),
    ...(isEmpty(programs) ? {} : { programs }),
  };
}

/** No plan and no check shows a Pulumi stack whose file is not there. */
function warnUnlessDeployed(name: string): void {
  const file = `Pulumi.${pulumi.getStack()}.${name}.yaml`;
  if (!existsSync(path.join(pulumi.getRootDirectory(), file)))
    void pulumi.log.warn(`${name} asks for this environment and is isolated, and no ${file} deploys it.`);
}

/** One that is misspelled has no effect, and not every one is missed under its right name. */
function warnOfUnused(given: Settings["secrets"] = {}): void {
  for (const [part, names] of Object.entries(given))
    for (const name of Object.keys(names ?? {}))
      if (!asked.some(([stack, key]) => stack === part && key === name))
        void pulumi.log.warn(
          `The secret ${part}.${name} is used by nothing here; remove it with: pulumi config rm --path 'cais:secrets.${part}.${name}'`,
        );
}

function isEmpty(programs: object): boolean {
  return Object.keys(programs).length === 0;
}
