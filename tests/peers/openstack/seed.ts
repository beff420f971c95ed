import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { keystoneCall, logIn, type KeystoneSession } from "./calls.ts";
import type { Lab } from "./lab.ts";

/** A user of the domain `default` with a role in one project. */
export interface User {
  user: string;
  userId: string;
  password: string;
  project: string;
  projectId: string;
}

/** An application credential, as Keystone gives it once. */
export interface ApplicationCredential {
  id: string;
  secret: string;
}

/** An access key of the S3 API. */
export interface AccessKey {
  access: string;
  secret: string;
}

/** Who is there, and what they have. */
export interface Seeded {
  /** Of everything. */
  admin: User;
  /** A member of the project `demo`. */
  demo: User;
  /** A member of another project. */
  alt: User;
  /** May read in the project `demo`. */
  reader: User;
  /** Of `demo`: all that its role may, but making other credentials. */
  applicationCredential: ApplicationCredential;
  /** Of `demo`: all that its role may. */
  unrestrictedCredential: ApplicationCredential;
  /** Of `demo`, for the S3 API. */
  accessKey: AccessKey;
  /** The account of the project `demo` in Swift. */
  storageUrl: string;
  /** A `clouds.yaml` with the clouds `demo`, `admin`, `alt`, `reader` and `application-credential`. */
  clouds: string;
}

type Named = { id: string; name: string };

/** Makes the projects, users, roles, credentials and the catalog. */
export async function seed(lab: Lab): Promise<Seeded> {
  const { secrets, swift } = lab;
  const admin = await logIn(lab, "admin", secrets.admin, "admin");
  const service = await project(admin, "service");
  const names = ["admin", "member", "reader", "service", "ResellerAdmin", "swiftoperator"] as const;
  // One after the other: SQLite has one writer.
  const roles = Object.fromEntries(
    await Array.fromAsync(names, async (name) => [name, await one(admin, "role", { name })] as const),
  ) as Record<(typeof names)[number], Named>;
  const member = async (name: "demo" | "alt" | "reader", of: string, role: Named): Promise<User> => {
    const { id: projectId } = await project(admin, of);
    const { id: userId } = await user(admin, name, secrets[name]);
    await grant(admin, projectId, userId, role);
    return { user: name, userId, password: secrets[name], project: of, projectId };
  };
  const swiftUser = await user(admin, "swift", secrets.service);
  // Debian's Keystone takes the S3 API's requests from these two roles alone.
  for (const role of [roles.admin, roles.service]) await grant(admin, service.id, swiftUser.id, role);
  const demo = await member("demo", "demo", roles.member);
  const alt = await member("alt", "alt", roles.member);
  const reader = await member("reader", "demo", roles.reader);
  await addService(admin, lab.region, {
    type: "object-store",
    name: "swift",
    url: `${swift}/v1/AUTH_%(project_id)s`,
  });

  const session = await logIn(lab, demo.user, demo.password, demo.project);
  const applicationCredential = await credential(session, "lab");
  const unrestrictedCredential = await credential(session, "lab-unrestricted", { unrestricted: true });
  const key = { tenant_id: demo.projectId };
  const { credential: accessKey } = await keystoneCall<{ credential: AccessKey }>(
    session,
    "POST",
    `/users/${demo.userId}/credentials/OS-EC2`,
    key,
  );
  const storageUrl = `${swift}/v1/AUTH_${demo.projectId}`;
  const headers = { "X-Auth-Token": session.token, "X-Account-Meta-Temp-URL-Key": secrets.tempUrlKey };
  const set = await fetch(storageUrl, { method: "POST", headers });
  if (!set.ok) throw new Error(`Swift did not take a key for temporary URLs: ${set.status} ${await set.text()}`);
  const owner: User = {
    user: "admin",
    userId: admin.userId,
    password: secrets.admin,
    project: "admin",
    projectId: admin.projectId,
  };
  const seeded = { admin: owner, demo, alt, reader, applicationCredential, unrestrictedCredential, storageUrl };
  const clouds = await writeClouds(lab, seeded);
  return { ...seeded, accessKey: { access: accessKey.access, secret: accessKey.secret }, clouds };
}

/** Makes an application credential for who is logged in; `settings` are Keystone's, `access_rules` among them. */
export async function credential(
  session: KeystoneSession,
  name: string,
  settings: Record<string, unknown> = {},
): Promise<ApplicationCredential> {
  const path = `/users/${session.userId}/application_credentials`;
  const body = { application_credential: { name, ...settings } };
  const made = await keystoneCall<{ application_credential: ApplicationCredential }>(session, "POST", path, body);
  return { id: made.application_credential.id, secret: made.application_credential.secret };
}

/** A service of the catalog with its endpoints. */
export async function addService(
  admin: KeystoneSession,
  region: string,
  { type, name, url }: { type: string; name: string; url: string },
): Promise<void> {
  const { id } = await one(admin, "service", { name, type });
  for (const kind of ["public", "internal", "admin"])
    await keystoneCall(admin, "POST", "/endpoints", {
      endpoint: { interface: kind, url, service_id: id, region_id: region },
    });
}

const project = async (admin: KeystoneSession, name: string) => one(admin, "project", { name, domain_id: "default" });

/** A user of the domain `default`, made if there is none. */
export const user = async (admin: KeystoneSession, name: string, password: string) =>
  one(admin, "user", { name, domain_id: "default", password });

/** Gives a user a role in a project. */
export const grant = async (admin: KeystoneSession, projectId: string, userId: string, role: { id: string }) =>
  keystoneCall(admin, "PUT", `/projects/${projectId}/users/${userId}/roles/${role.id}`);

/** What has this name, made if there is none. */
export async function one(
  admin: KeystoneSession,
  kind: "role" | "project" | "user" | "service" | "domain",
  wanted: Record<string, string> & { name: string },
): Promise<Named> {
  const found = await keystoneCall<Record<string, Named[]>>(admin, "GET", `/${kind}s?name=${wanted.name}`);
  const there = found[`${kind}s`]?.[0];
  if (there) return there;
  const made = await keystoneCall<Record<string, Named>>(admin, "POST", `/${kind}s`, { [kind]: wanted });
  const { [kind]: thing } = made;
  if (!thing) throw new Error(`Keystone made no ${kind} ${wanted.name}`);
  return thing;
}

async function writeClouds(
  lab: Lab,
  { applicationCredential, ...users }: Pick<Seeded, "admin" | "demo" | "alt" | "reader" | "applicationCredential">,
): Promise<string> {
  const { folder, keystone, region } = lab;
  const place = { region_name: region, identity_api_version: 3 };
  const clouds: Record<string, object> = {};
  for (const name of ["admin", "demo", "alt", "reader"] as const) {
    const { user: username, password, project: project_name } = users[name];
    const domains = { user_domain_id: "default", project_domain_id: "default" };
    clouds[name] = { auth: { auth_url: keystone, username, password, project_name, ...domains }, ...place };
  }
  const { id: application_credential_id, secret: application_credential_secret } = applicationCredential;
  clouds["application-credential"] = {
    auth_type: "v3applicationcredential",
    auth: { auth_url: keystone, application_credential_id, application_credential_secret },
    ...place,
  };
  const file = join(folder, "clouds.yaml");
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ clouds }, undefined, 2), { mode: 0o600 });
  return file;
}
