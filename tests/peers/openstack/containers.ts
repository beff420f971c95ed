import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectStoreBinding } from "@cais/spec/bindings.ts";
import { logIn } from "./calls.ts";
import type { OpenStack } from "./lab.ts";

export type SwiftBinding = Extract<ObjectStoreBinding, { driver: "swift" }>;

/** One request to Swift as the lab's user `demo`; `path` begins behind the account. Throws when it is refused. */
export async function swiftCall(
  lab: Pick<OpenStack, "keystone" | "storageUrl" | "demo">,
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Record<string, string>; body?: string | Uint8Array<ArrayBuffer> } = {},
): Promise<Response> {
  const { token } = await logIn(lab, lab.demo.user, lab.demo.password, lab.demo.project);
  const answer = await fetch(`${lab.storageUrl}/${path}`, {
    method,
    headers: { "X-Auth-Token": token, ...headers },
    body: body ?? null,
  });
  if (!answer.ok) throw new Error(`Swift refused ${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

/** A new container, and a binding to it with the lab's application credential, whose file is in the data folder. */
export async function newContainer(
  lab: OpenStack,
  dataFolder: string,
  headers: Record<string, string> = {},
): Promise<SwiftBinding> {
  const container = `test-${randomUUID()}`;
  await swiftCall(lab, "PUT", container, { headers });
  await mkdir(dataFolder, { recursive: true });
  const { id, secret } = lab.applicationCredential;
  await writeFile(join(dataFolder, "credential.json"), JSON.stringify({ id, secret }), { mode: 0o600 });
  return {
    driver: "swift",
    authUrl: lab.keystone,
    container,
    credential: { driver: "file", path: "credential.json" },
  };
}
