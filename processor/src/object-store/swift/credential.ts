import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { ObjectStoreBinding } from "@cais/spec/bindings.ts";
import { z } from "zod";
import { readSecret } from "../../secret/index.ts";

export type SwiftBinding = Extract<ObjectStoreBinding, { driver: "swift" }>;

/** What Keystone is asked for a token with. */
export interface Login {
  /** Keystone v3, without a slash at its end. */
  authUrl: string;
  region: string | undefined;
  interface: "public" | "internal";
  /** PEM certificates that are trusted besides the public ones. */
  ca: string | undefined;
  /** A body for `POST /auth/tokens`, or a token that someone else got. */
  with: { auth: object } | { token: string };
  /** Where it was read, for messages. */
  from: string;
}

const Names = z.object({
  username: z.string().optional(),
  userId: z.string().optional(),
  password: z.string().optional(),
  userDomainName: z.string().optional(),
  userDomainId: z.string().optional(),
  projectName: z.string().optional(),
  projectId: z.string().optional(),
  projectDomainName: z.string().optional(),
  projectDomainId: z.string().optional(),
  domainName: z.string().optional(),
  domainId: z.string().optional(),
  token: z.string().optional(),
  applicationCredentialId: z.string().optional(),
  applicationCredentialName: z.string().optional(),
  applicationCredentialSecret: z.string().optional(),
});
type Names = z.output<typeof Names>;

/** The short form of an application credential, as the deployment writes it. */
const Short = z.strictObject({ id: z.string().min(1), secret: z.string().min(1) });

const Cloud = z.object({
  auth: z.record(z.string(), z.unknown()).default({}),
  region_name: z.string().optional(),
  interface: z.string().optional(),
  cacert: z.string().optional(),
  verify: z.boolean().optional(),
});
const Clouds = z.object({ clouds: z.record(z.string(), Cloud) });

/**
 * Reads the credential's file, anew each time, so that one that was replaced is used with the next token. No error tells
 * what is in it.
 */
export async function readLogin(binding: SwiftBinding, dataFolder: string): Promise<Login> {
  const from = resolve(dataFolder, binding.credential.path);
  const value = await parse(await readSecret(binding.credential, dataFolder), from);
  const clouds = Clouds.safeParse(value);
  const cloud = clouds.success ? pick(clouds.data.clouds, binding.cloud, from) : undefined;
  const short = Short.safeParse(value);
  const names = short.success
    ? { applicationCredentialId: short.data.id, applicationCredentialSecret: short.data.secret }
    : Names.parse(cloud === undefined ? value : camel(cloud.auth));
  const authUrl = binding.authUrl ?? z.string().optional().parse(cloud?.auth["auth_url"]);
  if (authUrl === undefined || !/^https?:\/\//.test(authUrl))
    throw new Error(`Neither the binding nor ${from} has the address of Keystone; set authUrl.`);
  if (cloud?.verify === false)
    throw new Error(`The cloud in ${from} asks for TLS without verification; name its authority with cacert instead.`);
  const ca = binding.ca ?? cloud?.cacert;
  return {
    authUrl: withVersion(authUrl),
    region: binding.region ?? cloud?.region_name,
    interface: binding.interface ?? (cloud?.interface?.startsWith("internal") === true ? "internal" : "public"),
    ca: ca === undefined ? undefined : await readCertificates(resolve(dataFolder, ca)),
    with: authOf(names, from),
    from,
  };
}

async function parse(text: string, from: string): Promise<unknown> {
  const { parse: parseYaml } = await import("yaml");
  let value: unknown;
  try {
    // JSON is YAML.
    value = parseYaml(text);
  } catch {
    // The error itself would quote the file, which is a secret.
    throw new Error(`The credential ${from} is neither JSON nor YAML; write it anew.`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`The credential ${from} holds no object; write { "id": …, "secret": … }.`);
  return value;
}

function pick(clouds: Record<string, z.output<typeof Cloud>>, name: string | undefined, from: string) {
  const names = Object.keys(clouds);
  const only = names.length === 1 ? names[0] : undefined;
  const found = clouds[name ?? only ?? ""];
  if (found !== undefined) return found;
  throw new Error(
    name === undefined
      ? `${from} holds ${names.length} clouds; name one in the binding (cloud).`
      : `${from} holds no cloud "${name}"; it holds ${names.join(", ")}.`,
  );
}

/** The names of clouds.yaml, such as `user_domain_name`, as ours. */
const camel = (auth: Record<string, unknown>): unknown =>
  Object.fromEntries(
    Object.entries(auth).map(([name, value]) => [
      name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
      typeof value === "number" ? String(value) : value,
    ]),
  );

/** clouds.yaml often leaves the version out. */
const withVersion = (url: string): string => {
  const bare = url.replace(/\/+$/, "");
  return bare.endsWith("/v3") ? bare : `${bare}/v3`;
};

async function readCertificates(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new Error(`The certificates ${file} of the cloud's authority cannot be read; put them there.`, {
      cause: error,
    });
  }
}

/** https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management */
function authOf(names: Names, from: string): Login["with"] {
  const { password, token, applicationCredentialSecret: secret } = names;
  const user = {
    ...(names.userId === undefined ? { name: names.username } : { id: names.userId }),
    ...(names.userId === undefined && { domain: domainOf(names.userDomainId, names.userDomainName, names) }),
  };
  if (secret !== undefined) {
    const id = names.applicationCredentialId;
    const which = id === undefined ? { name: names.applicationCredentialName, user } : { id };
    const identity = { methods: ["application_credential"], application_credential: { ...which, secret } };
    return { auth: { identity } };
  }
  if (token !== undefined) return { token };
  if (password === undefined || (names.username ?? names.userId) === undefined)
    throw new Error(
      `The credential ${from} holds no id and secret, no username and password, and no token; write one of them.`,
    );
  if ((names.projectId ?? names.projectName) === undefined)
    throw new Error(`The credential ${from} names no project; add projectName or projectId.`);
  const project =
    names.projectId === undefined
      ? { name: names.projectName, domain: domainOf(names.projectDomainId, names.projectDomainName, names) }
      : { id: names.projectId };
  const identity = { methods: ["password"], password: { user: { ...user, password } } };
  return { auth: { identity, scope: { project } } };
}

const domainOf = (id: string | undefined, name: string | undefined, { domainId, domainName }: Names) => {
  if ((id ?? domainId) !== undefined) return { id: id ?? domainId };
  return (name ?? domainName) === undefined ? { id: "default" } : { name: name ?? domainName };
};
