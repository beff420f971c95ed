import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testFolder } from "../../processor-for-tests.ts";
import { readLogin, type SwiftBinding } from "./credential.ts";

let folder: string;
beforeAll(async () => {
  folder = await testFolder("swift-credential");
});
afterAll(() => rm(folder, { recursive: true }));

const credential = { driver: "file", path: "file" } as const;
const authUrl = "https://keystone.test/v3";

const bare: SwiftBinding = { driver: "swift", container: "c", credential };

async function login(text: string, binding: Partial<SwiftBinding> = { authUrl }) {
  await writeFile(join(folder, "file"), text, { mode: 0o600 });
  return readLogin({ ...bare, ...binding }, folder);
}

const clouds = `
clouds:
  one:
    auth: { auth_url: "https://one.test:5000", username: u, password: p, project_name: demo, user_domain_name: Users }
    region_name: R1
    interface: internal
  two:
    auth_type: v3applicationcredential
    auth: { auth_url: "https://two.test/identity/v3/", application_credential_id: i, application_credential_secret: s3cret }
    cacert: ca.pem
`;

describe("a credential's file", () => {
  it("holds an application credential, as the deployment writes it", async () => {
    expect(await login('{"id":"i","secret":"s"}', { authUrl, region: "R" })).toMatchObject({
      authUrl,
      region: "R",
      interface: "public",
      with: {
        auth: { identity: { methods: ["application_credential"], application_credential: { id: "i", secret: "s" } } },
      },
    });
  });

  it("holds a user with a project, of the default domain unless it says another", async () => {
    const text = JSON.stringify({ username: "u", password: "p", projectName: "x", projectDomainName: "d" });
    expect((await login(text)).with).toEqual({
      auth: {
        identity: {
          methods: ["password"],
          password: { user: { name: "u", domain: { id: "default" }, password: "p" } },
        },
        scope: { project: { name: "x", domain: { name: "d" } } },
      },
    });
  });

  it("holds a token", async () => {
    expect((await login('{"token":"t"}')).with).toEqual({ token: "t" });
  });

  it("is a clouds.yaml, of which the binding names the cloud and may say more", async () => {
    await writeFile(join(folder, "ca.pem"), "PEM");
    expect(await login(clouds, { cloud: "one" })).toMatchObject({
      authUrl: "https://one.test:5000/v3",
      region: "R1",
      interface: "internal",
      ca: undefined,
      with: { auth: { identity: { password: { user: { domain: { name: "Users" } } } } } },
    });
    expect(await login(clouds, { cloud: "two", region: "R2", interface: "internal" })).toMatchObject({
      authUrl: "https://two.test/identity/v3",
      region: "R2",
      interface: "internal",
      with: { auth: { identity: { application_credential: { id: "i", secret: "s3cret" } } } },
    });
    await expect(login(clouds, {})).rejects.toThrow(/holds 2 clouds; name one in the binding/);
    await expect(login(clouds, { cloud: "three" })).rejects.toThrow(/holds no cloud "three"; it holds one, two/);
  });

  it("tells what is wrong with it, and never what is in it", async () => {
    const wrong = [
      ['{"id":"s3cret"', /is neither JSON nor YAML/],
      ['"s3cret"', /holds no object/],
      ['{"username":"s3cret"}', /holds no id and secret, no username and password, and no token/],
      ['{"username":"u","password":"s3cret"}', /names no project/],
      ["clouds: { c: { verify: false, auth: { password: s3cret } } }", /TLS without verification/],
    ] as const;
    for (const [text, message] of wrong) {
      const error: unknown = await login(text).catch((thrown: unknown) => thrown);
      expect(String(error)).toMatch(message);
      expect(String(error)).not.toContain("s3cret");
    }
  });
});
