import { execFile } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { installDebianPackages } from "../debian-packages.ts";
import { type Peer, Unavailable } from "../peer.ts";
import { buildDisk } from "./disk.ts";

const run = promisify(execFile);
const folder = join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "machine");

/** What builds a machine's disk, what is the machine, and a registry for its image. */
const packages = [
  "busybox-static",
  "docker-registry",
  "e2fsprogs",
  "mmdebstrap",
  "openssl",
  "perl",
  "qemu-system-x86",
  "udev",
];

/** A machine as Nova would start it: Debian 12 with cloud-init on an emulated processor, which needs no rights of the real one. */
export const peer: Peer = {
  installs: `installs Debian's ${packages.join(", ")} with apt-get where they are not there (about 60 MB); makes a disk with Debian 12, its kernel, cloud-init and Docker's packages in .cais/peers/machine (1.5 GB, 150 MB to download)`,
  async prepare() {
    if (process.arch !== "x64") throw new Unavailable(`the emulated machine is x86_64, and this is ${process.arch}`);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await installDebianPackages(packages, join(folder, "apt.log"));
    if (process.getuid?.() !== 0) throw new Unavailable("only root may make a disk with another system's files");
    try {
      await buildDisk(folder);
    } catch (cause) {
      const { stderr = "", message } = cause as { stderr?: string; message: string };
      throw new Unavailable(`the machine's disk cannot be made: ${stderr.trim().split("\n").at(-1) || message}`, {
        cause,
      });
    }
    const { stdout } = await run("qemu-system-x86_64", ["--version"]);
    return { CAIS_MACHINE: folder, CAIS_QEMU: stdout.split("\n", 1)[0] ?? "" };
  },
};
