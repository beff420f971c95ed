import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { z } from "zod";
import { logIn } from "../openstack/calls.ts";
import { asker } from "../openstack-cloud/ask.ts";
import type { Cloud } from "../openstack-cloud/part.ts";
import type { Found } from "../openstack-cloud/project.ts";
import { type Deployer, type Made, make } from "./make.ts";

/** A resource that a service made for the program. */
export interface Resource {
  kind: string;
  /** In the program. */
  resource: string;
  /** In the cloud. */
  name: string;
  inputs: Record<string, unknown>;
  made: Made;
}

export interface Place extends Deployer {
  cloud: Cloud;
  project: Found;
}

/** The lab that the peer has started, with what an operator has put into it. */
export async function openPlace(): Promise<Place> {
  const cloud = (await read("CAIS_OPENSTACK")) as Cloud;
  const { user, password, project } = cloud.demo;
  return {
    cloud,
    project: (await read("CAIS_OPENSTACK_PROJECT")) as Found,
    demo: await asker(cloud, "demo"),
    session: await logIn(cloud, user, password, project),
  };
}

const read = async (variable: string) => JSON.parse(await readFile(process.env[variable] ?? "", "utf8")) as unknown;

const provider = "openstack:";
const Example = z.looseObject({
  config: z.looseObject({ "cais:platform": z.looseObject({ cluster: z.looseObject({}), network: z.looseObject({}) }) }),
});

/**
 * Runs the program of `prod-openstack`, its config as in the project but for this cluster, and makes each resource when it is
 * asked for. Only once in a process: a program is a module.
 */
export async function deploy(place: Place, cluster: Record<string, unknown>): Promise<Resource[]> {
  const made: Resource[] = [];
  const failures: unknown[] = [];
  const root = path.join(import.meta.dirname, "..", "..", "..");
  const { config } = Example.parse(parse(await readFile(path.join(root, "Pulumi.prod-openstack.yaml"), "utf8")));
  const { network } = config["cais:platform"];
  const settings = {
    ...config,
    "openstack:authUrl": place.cloud.keystone,
    "openstack:region": place.cloud.region,
    "cais:platform": { network: { ...network, external: { id: place.project.external, name: "public" } }, cluster },
    "cais:secrets": { platform: { "api-token": "a-token-of-the-api-that-nobody-has" } },
  };
  await pulumi.runtime.setMocks(
    {
      async newResource({ type, name: resource, inputs, custom }) {
        const given = opened(inputs) as Record<string, unknown>;
        if (custom === false || !type.startsWith(provider)) return { id: resource, state: given };
        const kind = type.slice(provider.length);
        const name = `${resource}-${randomBytes(4).toString("hex")}`;
        try {
          const maker = make[kind];
          if (maker === undefined) throw new Error(`It is not known how a ${kind} is made.`);
          const thing = await maker(place, { name, inputs: given });
          made.push({ kind, resource, name, inputs: given, made: thing });
          return { id: thing.id, state: { name, ...given, ...thing } };
        } catch (error) {
          failures.push(new Error(`${kind} ${resource} was not made.`, { cause: error }));
          throw error;
        }
      },
      call: ({ token }) => {
        throw new Error(`${token} was called, and only a provider could answer it`);
      },
    },
    "cais",
    "prod-openstack",
    false,
    "organization",
  );
  pulumi.runtime.setAllConfig(
    Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
    ),
  );
  await import("../../../programs/main.ts");
  // Children register after a constructor returns.
  await pulumi.runtime.disconnect();
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join("; "));
  return made;
}

/** How Pulumi's wire marks a secret: https://github.com/pulumi/pulumi/blob/master/sdk/nodejs/runtime/rpc.ts, `specialSigKey`. */
const signature = "4dabf18193072939515e22adb298388d";

function opened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(opened);
  if (typeof value !== "object" || value === null) return value;
  if (signature in value && "value" in value) return opened(value.value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, opened(inner)]));
}
