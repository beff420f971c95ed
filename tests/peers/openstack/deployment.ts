import { randomBytes } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { readStack } from "@cais/spec/read-stack.ts";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { mountedSecrets } from "../../../components/secret/mount.ts";
import { isolated } from "../../../programs/isolated.ts";
import { readIsolatedSettings } from "../../../programs/settings.ts";
import { type KeystoneSession, logIn } from "./calls.ts";
import type { OpenStack } from "./lab.ts";
import { credential } from "./seed.ts";

/** What a pipeline stack's program has made on the lab. */
export interface Deployment {
  config: ProcessorConfig;
  /** The containers, by the name of their resource, such as `ivi-input`. */
  containers: Record<string, string>;
  /** Makes the processor's application credential anew, with the rights that the program asks for. */
  newCredential(session: KeystoneSession): Promise<void>;
  /** Of `demo`, who owns all of it. */
  session: KeystoneSession;
}

/** How Pulumi's wire marks a secret: https://github.com/pulumi/pulumi/blob/master/sdk/nodejs/runtime/rpc.ts, `specialSigKey`. */
const signature = "4dabf18193072939515e22adb298388d";
const unwrapped = (value: unknown): unknown =>
  typeof value === "object" && value !== null && signature in value && "value" in value ? value.value : value;

const Container = z.object({ versioning: z.boolean(), metadata: z.record(z.string(), z.string()) });
const Rights = z.object({
  unrestricted: z.literal(false),
  description: z.string(),
  accessRules: z.array(z.object({ service: z.string(), method: z.string(), path: z.string() })).min(1),
});
const Workload = z.object({
  config: ProcessorConfig,
  secrets: z.array(z.object({ file: z.string(), reference: z.string() })),
});

/**
 * Runs the program of an isolated pipeline stack for the lab and makes what it asks for as the provider would: its containers
 * and its application credential for real. Config and secrets come to `folder` as they come to the machine: as files.
 * There is no machine and no Barbican here; their resources are made by name only.
 */
export async function deploy(
  lab: OpenStack,
  name: string,
  folder: string,
  secrets: Record<string, string>,
): Promise<Deployment> {
  const session = await logIn(lab, lab.demo.user, lab.demo.password, lab.demo.project);
  const containers: Record<string, string> = {};
  const payloads = new Map<string, string>();
  const contents = new Map<string, string>();
  let rights: z.output<typeof Rights> | undefined;

  async function make(type: string, resource: string, inputs: Record<string, unknown>) {
    switch (type) {
      case "openstack:objectstorage/container:Container": {
        const container = `${resource}-${randomBytes(4).toString("hex")}`;
        await makeContainer(lab, session, container, Container.parse(inputs));
        containers[resource] = container;
        return { name: container };
      }
      case "openstack:identity/applicationCredential:ApplicationCredential":
        rights = Rights.parse(inputs);
        return makeCredential(session, rights);
      case "openstack:keymanager/secretV1:SecretV1":
        payloads.set(resource, String(unwrapped(inputs["payload"])));
        return { secretRef: resource };
      case "openstack:objectstorage/containerObject:ContainerObject":
        contents.set(String(inputs["name"]), String(unwrapped(inputs["content"])));
        return {};
      default:
        return {};
    }
  }

  const settings = {
    "cais:target": "openstack",
    "cais:environment": "prod",
    "cais:image": `registry.test/cais/processor@sha256:${"0".repeat(64)}`,
    // The BI server of the tests is on this machine.
    "cais:platform": JSON.stringify({ allowPrivate: ["127.0.0.0/8"] }),
    "openstack:authUrl": lab.keystone,
    "openstack:region": lab.region,
  };
  const platform = { environment: "prod", target: "openstack", isolated: {} };
  const mocks: pulumi.runtime.Mocks = {
    async newResource({ type, name: resource, inputs, id, custom }) {
      if (type === "pulumi:pulumi:StackReference")
        return {
          id: id ?? resource,
          state: { ...inputs, outputs: { platform, workloads: "w" }, secretOutputNames: [] },
        };
      const made = custom === false ? {} : await make(type, resource, inputs as Record<string, unknown>);
      return { id: "id" in made ? made.id : `id-${resource}`, state: { ...inputs, ...made } };
    },
    call: ({ token }) => {
      throw new Error(`${token} was called, and only a provider could answer it`);
    },
  };
  await pulumi.runtime.setMocks(mocks, "cais", "prod-openstack.ivi", false, "organization");
  pulumi.runtime.setAllConfig(settings);
  const own = { shared: "prod-openstack", folder: readStack(join("stacks", name)) };
  const secret = (_: string, asked: string) => pulumi.secret(secrets[asked] ?? "");
  await isolated(own, readIsolatedSettings(settings, name), secret);
  // Children register after a constructor returns.
  await pulumi.runtime.disconnect();

  const workload = Workload.parse(JSON.parse(contents.get(`${name}-processor.json`) ?? "{}"));
  const mount = join(folder, "secrets");
  await mkdir(mount, { recursive: true, mode: 0o700 });
  const mountSecret = async (file: string, payload: string) => writeFile(join(mount, file), payload, { mode: 0o400 });
  for (const { file, reference } of workload.secrets) await mountSecret(file, payloads.get(reference) ?? "");
  return {
    config: mountedAt(mount, workload.config),
    containers,
    session,
    async newCredential(owner) {
      const [store] = workload.secrets;
      if (rights === undefined || store === undefined) throw new Error(`The program of ${name} makes no credential.`);
      const { id, secret: word } = await makeCredential(owner, rights);
      await writeFile(join(mount, `${store.file}.new`), JSON.stringify({ id, secret: word }), { mode: 0o400 });
      await rename(join(mount, `${store.file}.new`), join(mount, store.file));
    },
  };
}

/** The config with the secrets in another folder, and on any free port. */
function mountedAt(mount: string, config: ProcessorConfig): ProcessorConfig {
  const moved = JSON.parse(JSON.stringify(config).replaceAll(`"${mountedSecrets}/`, `"${mount}/`)) as ProcessorConfig;
  return ProcessorConfig.parse({ ...moved, api: { ...moved.api, port: 0 } });
}

async function makeContainer(
  lab: OpenStack,
  { token }: KeystoneSession,
  name: string,
  { versioning, metadata }: z.output<typeof Container>,
): Promise<void> {
  const described = Object.entries(metadata).map(([key, value]) => [`X-Container-Meta-${key}`, value] as const);
  const headers = { "X-Auth-Token": token, "X-Versions-Enabled": String(versioning), ...Object.fromEntries(described) };
  const { status } = await fetch(`${lab.storageUrl}/${name}`, { method: "PUT", headers });
  if (status !== 201) throw new Error(`Swift answered ${status} to the container ${name}`);
}

const makeCredential = async (session: KeystoneSession, { accessRules, ...rest }: z.output<typeof Rights>) =>
  credential(session, `processor-${randomBytes(4).toString("hex")}`, { ...rest, access_rules: accessRules });
