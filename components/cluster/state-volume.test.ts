import { execFile, spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("vm/state-volume.sh", import.meta.url));
const volume = "3f0c0a1e-0b5c-4f0b-8d5e-0123456789ab";
const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;
const missing = ["bash", "blkid", "wipefs", "mkfs.ext4"].filter(
  (tool) => spawnSync("which", [tool], { env: { PATH } }).status !== 0,
);

describe.skipIf(missing.length > 0)("state-volume.sh (skipped without bash, blkid, wipefs and mkfs.ext4)", () => {
  let root = "";
  const at = (file: string) => path.join(root, file);
  const disk = () => at("disk");
  const stub = async (name: string, body: string) => {
    await writeFile(at(`bin/${name}`), `#!/bin/sh\n${body}\n`);
    await chmod(at(`bin/${name}`), 0o755);
  };
  const run = async () => {
    const ended = await new Promise<{ code: number; problems: string }>((resolve) => {
      execFile("bash", [script, root], { env: { PATH: `${at("bin")}:${PATH}` } }, (error, _, problems) =>
        resolve({ code: error === null ? 0 : Number(error.code), problems }),
      );
    });
    return { ...ended, told: await readFile(at("told"), "utf8") };
  };
  const label = () =>
    spawnSync("blkid", ["-p", "-s", "LABEL", "-o", "value", disk()], { env: { PATH } }).stdout.toString().trim();

  beforeEach(async () => {
    await mkdir(".cais/tests", { recursive: true });
    root = await mkdtemp(path.resolve(".cais/tests/state-"));
    for (const folder of ["etc/cais", "dev/disk/by-id", "bin"]) await mkdir(at(folder), { recursive: true });
    await writeFile(at("etc/cais/state-volume"), `${volume}\n`);
    await writeFile(disk(), "");
    await truncate(disk(), 8 * 2 ** 20);
    await symlink(disk(), at(`dev/disk/by-id/virtio-${volume.slice(0, 20)}`));
    await symlink("/dev/null", at(`dev/disk/by-id/virtio-${volume.slice(0, 20)}-part1`));
    await writeFile(at("told"), "");
    await stub("mountpoint", "exit 1");
    for (const tool of ["mount", "resize2fs"]) await stub(tool, `echo ${tool} "$@" >> "${at("told")}"`);
  });
  afterEach(() => rm(root, { recursive: true }));

  const mounted = () => `mount -o nodev,nosuid,noexec ${disk()} ${at("var/lib/cais")}\nresize2fs ${disk()}\n`;

  it("formats a blank volume and mounts it", async () => {
    expect(await run()).toEqual({ code: 0, problems: "", told: mounted() });
    expect(label()).toBe("cais-state");
  });

  it("mounts a volume with a file system as it is", async () => {
    spawnSync("mkfs.ext4", ["-q", "-L", "precious", disk()], { env: { PATH } });
    const before = await readFile(disk());
    expect(await run()).toEqual({ code: 0, problems: "", told: mounted() });
    expect(before.equals(await readFile(disk()))).toBe(true);
    expect(label()).toBe("precious");
  });

  it("leaves a volume alone when it cannot tell what is on it", async () => {
    await stub("blkid", "exit 8");
    expect(await run()).toEqual({
      code: 1,
      problems: `state-volume: cannot tell what is on ${disk()} (blkid says 8); it is left alone\n`,
      told: "",
    });
    await stub("blkid", "exit 2");
    await stub("wipefs", "echo 0x438,,,ext4");
    expect(await run()).toEqual({
      code: 1,
      problems: `state-volume: ${disk()} holds something unknown; it is left alone\n`,
      told: "",
    });
  });

  it("does nothing when it is mounted already", async () => {
    await stub("mountpoint", "exit 0");
    expect(await run()).toEqual({ code: 0, problems: "", told: "" });
    expect(label()).toBe("");
  });
});
