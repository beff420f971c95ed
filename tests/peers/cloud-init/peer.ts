import { execFile } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { downloadDebianPackage, installDebianPackages } from "../debian-packages.ts";
import type { Peer } from "../peer.ts";

const run = promisify(execFile);
const folder = join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "cloud-init");

/** What it imports. */
const packages = [
  "python3-configobj",
  "python3-jinja2",
  "python3-jsonpatch",
  "python3-jsonschema",
  "python3-oauthlib",
  "python3-requests",
  "python3-yaml",
];

/** cloud-init's own check of what it is given. The program is unpacked, not installed: installed, it would run at the next boot. */
export const peer: Peer = {
  installs: `installs Debian's ${packages.join(", ")} with apt-get where they are not there (about 5 MB), and unpacks cloud-init into .cais/peers/cloud-init`,
  async prepare() {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await installDebianPackages(packages, join(folder, "apt.log"));
    await downloadDebianPackage("cloud-init", folder, join(folder, "apt.log"));
    const file = (await readdir(folder)).find((name) => name.endsWith(".deb")) ?? "";
    await run("dpkg-deb", ["-x", file, "program"], { cwd: folder });
    return { CAIS_CLOUD_INIT: join(folder, "program", "usr", "lib", "python3", "dist-packages") };
  },
};
