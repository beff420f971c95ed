import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { authority, record, resolved } from "../conformance.ts";
import { cloudInit, type MachineIdentity, userDataLimit } from "./cloud-init.ts";

const identity = {
  authUrl: "https://keystone.test/v3",
  region: "RegionOne",
  container: "platform-workloads-1a2b3c4",
  id: "an id",
  secret: 'a "secret": with\nwhat YAML could trip over #',
  stateVolume: "3f0c0a1e-0b5c-4f0b-8d5e-0123456789ab",
};
const CloudConfig = z.strictObject({
  users: z.tuple([
    z.strictObject({
      name: z.literal("cais"),
      system: z.literal(true),
      no_create_home: z.literal(true),
      lock_passwd: z.literal(true),
      shell: z.literal("/usr/sbin/nologin"),
    }),
  ]),
  disable_root: z.literal(true),
  ssh_pwauth: z.literal(false),
  package_update: z.literal(true),
  packages: z.array(z.string()),
  ca_certs: z.strictObject({ trusted: z.array(z.string()) }).optional(),
  write_files: z.array(
    z.strictObject({ path: z.string(), permissions: z.string().regex(/^0[0-7]{3}$/), content: z.string().min(1) }),
  ),
  runcmd: z.array(z.array(z.string())),
});
const render = async (about: MachineIdentity = identity) => resolved((await record(() => cloudInit(about))).result);
const files = async () => {
  const { write_files } = CloudConfig.parse(parse(await render()));
  return new Map(write_files.map(({ path, ...file }) => [path, file]));
};
const source = (file: string) => readFileSync(new URL(`vm/${file}`, import.meta.url), "utf8");

describe("cloudInit", () => {
  it("is far below what Nova takes", async () => {
    const encoded = Buffer.from(await render()).toString("base64").length;
    expect(encoded).toBeGreaterThan(10_000);
    expect(encoded).toBeLessThan(userDataLimit / 2);
  });

  it("begins with the line that cloud-init knows it by", async () => {
    expect((await render()).split("\n", 1)).toEqual(["#cloud-config"]);
  });

  it("writes every file of vm/ but the templates, as it is", async () => {
    const written = await files();
    const names = readdirSync(new URL("vm/", import.meta.url)).filter((name) => !name.endsWith(".yaml"));
    const byName = new Map([...written].map(([path, { content }]) => [path.slice(path.lastIndexOf("/") + 1), content]));
    expect(names.map((name) => [name, byName.get(name)])).toEqual(names.map((name) => [name, source(name)]));
    expect([...byName.keys()].toSorted()).toEqual([...names, "identity.json", "state-volume"].toSorted());
  });

  it("keeps the credential from all but root, whatever is in it", async () => {
    const file = (await files()).get("/etc/cais/identity.json");
    const { stateVolume, ...rest } = identity;
    expect(file?.permissions).toBe("0600");
    expect(JSON.parse(file?.content ?? "")).toEqual(rest);
    expect((await files()).get("/etc/cais/state-volume")?.content).toBe(`${stateVolume}\n`);
  });

  it("lets the machine trust private authorities, of which no other file tells", async () => {
    const text = await render({ ...identity, ca: [authority, authority] });
    expect(CloudConfig.parse(parse(text)).ca_certs).toEqual({ trusted: [authority, authority] });
    expect(text.split("BEGIN CERTIFICATE")).toHaveLength(3);
    expect(CloudConfig.parse(parse(await render())).ca_certs).toBeUndefined();
    await expect(record(() => cloudInit({ ...identity, ca: Array<string>(99).fill(authority) }))).rejects.toThrow(
      `openstack:cacertFile holds ${99 * authority.length} bytes of certificates, and a machine can be told 16384; give it your own authorities' alone.`,
    );
  });

  it("enables only units that it writes", async () => {
    const { runcmd } = CloudConfig.parse(parse(await render()));
    const written = new Set((await files()).keys());
    const enabled = runcmd.flat().filter((word) => /\.(service|timer)$/.test(word));
    expect(enabled).toEqual(["cais-metadata-block.service", "cais-state-volume.service", "cais-sync.timer"]);
    for (const unit of enabled) expect(written).toContain(`/etc/systemd/system/${unit}`);
  });

  it("says for each script that systemd starts where it is, and makes it executable", async () => {
    const written = await files();
    for (const [path, { content }] of written)
      for (const [, command = ""] of content.matchAll(/^ExecStart=(\/usr\/local\S+)/gm))
        expect(written.get(command)?.permissions, `${path} starts ${command}`).toBe("0755");
  });
});
