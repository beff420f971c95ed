import type { Lab } from "./lab.ts";

/** A token of Keystone, and whose it is. */
export interface KeystoneSession {
  keystone: string;
  token: string;
  userId: string;
  projectId: string;
}

/** Logs a user of the domain `default` in to a project. */
export async function logIn(
  { keystone }: Pick<Lab, "keystone">,
  name: string,
  password: string,
  project: string,
): Promise<KeystoneSession> {
  const domain = { id: "default" };
  const auth = {
    identity: { methods: ["password"], password: { user: { name, domain, password } } },
    scope: { project: { name: project, domain } },
  };
  const answer = await fetch(`${keystone}/auth/tokens`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ auth }),
  });
  if (!answer.ok) throw new Error(`Keystone refused ${name}: ${answer.status} ${await answer.text()}`);
  const { token } = (await answer.json()) as { token: { user: { id: string }; project: { id: string } } };
  const subject = answer.headers.get("X-Subject-Token") ?? "";
  return { keystone, token: subject, userId: token.user.id, projectId: token.project.id };
}

/** Calls Keystone's version 3; throws when it refuses. */
export async function keystoneCall<Answer = unknown>(
  { keystone, token }: KeystoneSession,
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await fetch(keystone + path, {
    method,
    headers: { "X-Auth-Token": token, ...(body && { "Content-Type": "application/json" }), ...headers },
    body: body ? JSON.stringify(body) : null,
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Keystone refused ${method} ${path}: ${answer.status} ${text}`);
  return (text === "" ? {} : JSON.parse(text)) as Answer;
}
