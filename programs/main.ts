import { fileURLToPath } from "node:url";
import { SecretName } from "@cais/spec/names.ts";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { pipeline, type SecretReader } from "./pipeline.ts";
import { platform } from "./platform.ts";
import { readSettings } from "./settings.ts";
import { stacksOf } from "./stacks.ts";

const stacks = stacksOf(fileURLToPath(new URL("../stacks", import.meta.url)));
const settings = readSettings(
  pulumi.runtime.allConfig(),
  stacks.map(({ stack }) => stack.name),
);

const Secrets = z.record(z.string(), z.record(SecretName, z.string()));
const secrets = new pulumi.Config("cais").getSecretObject<unknown>("secrets") ?? pulumi.output({});
const secret: SecretReader = (stack, name) =>
  secrets.apply((given) => {
    const { data, error } = Secrets.safeParse(given);
    if (error)
      throw new pulumi.RunError(
        `cais:secrets must hold texts at <stack>.<name>; ${z.prettifyError(error).replaceAll(/\s+/g, " ")}`,
      );
    const value = data[stack]?.[name];
    if (value === undefined)
      throw new pulumi.RunError(
        `The secret ${stack}.${name} is missing; set it with: pulumi config set --secret --path 'cais:secrets.${stack}.${name}'`,
      );
    return value;
  });

const pipelines = stacks
  .filter(({ stack }) => stack.environments.includes(settings.environment))
  .map((stack) => pipeline(stack, settings, secret));

/** The config that the processor reads. */
export const processor = platform(settings, pipelines, secret).config;
