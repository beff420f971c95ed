import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { record, resolved } from "../../../components/conformance.ts";
import { cloudInit } from "../../../components/cluster/cloud-init.ts";

let folder = "";
beforeEach(async () => {
  await mkdir(".cais/tests", { recursive: true });
  folder = await mkdtemp(path.resolve(".cais/tests/cloud-init-"));
});
afterEach(() => rm(folder, { recursive: true }));

const userData = async () =>
  resolved(
    (
      await record(() =>
        cloudInit({
          authUrl: "https://keystone.test/v3",
          region: "RegionOne",
          container: "platform-workloads-1a2b3c4",
          id: "an id",
          secret: 'a "secret": with\nwhat YAML could trip over #',
          stateVolume: "3f0c0a1e-0b5c-4f0b-8d5e-0123456789ab",
        }),
      )
    ).result,
  );

/** What `cloud-init schema` says, and whether it found nothing wrong. */
async function check(text: string): Promise<{ valid: boolean; told: string }> {
  const file = path.join(folder, "user-data");
  await writeFile(file, text);
  const command = ["-m", "cloudinit.cmd.main", "schema", "--config-file", file];
  const env = { PATH: "/usr/bin:/bin", PYTHONPATH: process.env["CAIS_CLOUD_INIT"], PYTHONDONTWRITEBYTECODE: "1" };
  return new Promise((done) => {
    // Debian's own Python, which has the packages that it imports.
    execFile("/usr/bin/python3", command, { env, cwd: folder }, (error, out, problems) =>
      done({ valid: error === null, told: out + problems }),
    );
  });
}

it("takes the machine's cloud-init as it is", async () => {
  expect(await check(await userData())).toEqual({ valid: true, told: expect.stringContaining("Valid") });
});

it("would tell of a key or a value that cloud-init does not know", async () => {
  const { valid, told } = await check((await userData()).replace("disable_root: true", "disable_root: [perhaps]"));
  expect(valid).toBe(false);
  expect(told).toContain("disable_root");
});
