import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { keystoneCall, logIn } from "./calls.ts";
import { openLab, type OpenStack } from "./lab.ts";
import { type ApplicationCredential, credential, grant, one, user } from "./seed.ts";

/** A deployer of its own, with two roles in the project `demo`, and what an administrator may do to it. */
async function newDeployer(lab: OpenStack) {
  const admin = await logIn(lab, "admin", lab.admin.password, "admin");
  const name = `deployer-${randomBytes(4).toString("hex")}`;
  const password = randomBytes(12).toString("hex");
  const { id } = await user(admin, name, password);
  const [member, operator] = [
    await one(admin, "role", { name: "member" }),
    await one(admin, "role", { name: "swiftoperator" }),
  ];
  const roles = { member, operator };
  const give = async () => {
    for (const role of Object.values(roles)) await grant(admin, lab.demo.projectId, id, role);
  };
  await give();
  return {
    give,
    take: async (role: keyof typeof roles) =>
      keystoneCall(admin, "DELETE", `/projects/${lab.demo.projectId}/users/${id}/roles/${roles[role].id}`),
    set: async (change: object) => keystoneCall(admin, "PATCH", `/users/${id}`, { user: change }),
    remove: async () => keystoneCall(admin, "DELETE", `/users/${id}`),
    session: async () => logIn(lab, name, password, lab.demo.project),
  };
}

/** The roles that Keystone gives to who logs in with the credential, or its answer to who may not. */
async function logInWith({ keystone }: OpenStack, { id, secret }: ApplicationCredential): Promise<string[] | number> {
  const identity = { methods: ["application_credential"], application_credential: { id, secret } };
  const answer = await fetch(`${keystone}/auth/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ auth: { identity } }),
  });
  const { token } = (await answer.json()) as { token?: { roles: { name: string }[] } };
  return token?.roles.map(({ name }) => name).toSorted() ?? answer.status;
}

it("lasts as long as its user, with the roles that this one has at the time", async () => {
  // Keystone's own member is a reader, too.
  const all = ["member", "reader", "swiftoperator"];
  const lab = await openLab();
  const { set, give, take, session, remove } = await newDeployer(lab);
  const own = await credential(await session(), "own");
  expect(await logInWith(lab, own)).toEqual(all);

  await set({ password: "another-password" });
  expect(await logInWith(lab, own)).toEqual(all);

  await set({ enabled: false });
  expect(await logInWith(lab, own)).toBe(401);
  await set({ enabled: true });
  expect(await logInWith(lab, own)).toEqual(all);

  await take("operator");
  expect(await logInWith(lab, own)).toEqual(["member", "reader"]);
  await take("member");
  expect(await logInWith(lab, own)).toBe(401);
  await give();
  expect(await logInWith(lab, own)).toEqual(all);

  await remove();
  expect(await logInWith(lab, own)).toBe(404);
});
