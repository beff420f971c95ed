import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
// A user's PATH may lack the folders of chroot and mkfs.
const env = { ...process.env, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
const limits = { env, maxBuffer: 64 * 1024 * 1024, timeout: 20 * 60_000 };

/** As Debian's cloud images have it, and what the services of `cloud-config.yaml` take for granted there. */
const packages = [
  "apparmor",
  "ca-certificates",
  "cloud-guest-utils",
  "cloud-init",
  "dbus",
  "e2fsprogs",
  "fdisk",
  "iproute2",
  "isc-dhcp-client",
  "libpam-systemd",
  "linux-image-cloud-amd64",
  "locales",
  "netplan.io",
  "openssh-server",
  "sudo",
  "systemd-resolved",
  "systemd-sysv",
  "udev",
  "xz-utils",
];

/** What cloud-init installs at the first boot. */
const later = ["docker.io", "iptables", "unattended-upgrades"];

/** The only way in, for who looks at the machine: commands by the second serial port. A cloud's image has none. */
const door = `[Unit]
Description=Runs what the test asks for
DefaultDependencies=no
After=local-fs.target

[Service]
ExecStart=/usr/local/sbin/door
Restart=always

[Install]
WantedBy=sysinit.target
`;

/** Each line is a word and a command in base64; the answer is what it said, and a line with the word and its exit code. */
const doorkeeper = `#!/bin/bash
exec </dev/ttyS1 >/dev/ttyS1 2>&1
stty raw -echo
export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
while read -r word command; do
  bash -c "$(base64 -d <<<"$command")" </dev/null
  echo "$word $?"
done
`;

/**
 * Makes `disk.img`, `vmlinuz` and `initrd` in a folder: a Debian 12 that was never started. The packages of its first boot lie on
 * it as an archive, so that cloud-init really installs them, and no mirror's slowness is taken for the machine's.
 */
export async function buildDisk(folder: string): Promise<void> {
  const root = join(folder, "root");
  // Only what is needed: on an emulated processor, what docker.io recommends would take longer than all the rest.
  const lean = 'APT::Install-Recommends "false"';
  const dpkg = ["force-unsafe-io", ...["doc", "man", "locale"].map((name) => `path-exclude=/usr/share/${name}/*`)];
  // A hook's shell: the chroot cannot resolve names, so apt-get of this machine downloads for it.
  const download = `mkdir -p "$1/srv/packages/partial" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get install --yes --download-only -o Dir::Cache::archives="$1/srv/packages/" ${later.join(" ")}`;
  await run(
    "mmdebstrap",
    [
      "--quiet",
      "--mode=root",
      "--variant=apt",
      `--aptopt=${lean}`,
      ...dpkg.map((option) => `--dpkgopt=${option}`),
      `--include=${packages.join(",")}`,
      `--customize-hook=${download}`,
      "bookworm",
      root,
    ],
    limits,
  );
  await writeArchive(join(root, "srv", "packages"));
  // Of the public authorities a few are enough: an emulated processor takes minutes to hash all of them.
  const few = "sed -i '/^#/d; 15q' /etc/ca-certificates.conf && update-ca-certificates --fresh";
  await run("chroot", [root, "/bin/sh", "-ec", few], limits);
  // cloud-init sets this language where the image has none, and fails where it was not made.
  await run("chroot", [root, "/bin/sh", "-ec", "echo en_US.UTF-8 UTF-8 > /etc/locale.gen && locale-gen"], limits);
  const write = async (file: string, text: string) => writeFile(join(root, file), text);
  await rm(join(root, "etc/apt/sources.list.d"), { recursive: true, force: true });
  await mkdir(join(root, "etc/apt/sources.list.d"));
  await write("etc/apt/sources.list", "deb [trusted=yes] file:/srv/packages ./\n");
  await write("etc/apt/apt.conf.d/90lean", `${lean};\n`);
  await write("etc/fstab", "LABEL=root / ext4 errors=remount-ro 0 1\n");
  await write("etc/hostname", "localhost\n");
  // Empty, it is a first boot's: https://www.freedesktop.org/software/systemd/man/252/machine-id.html
  await write("etc/machine-id", "");
  await write("etc/systemd/system/door.service", door);
  await write("usr/local/sbin/door", doorkeeper);
  await chmod(join(root, "usr/local/sbin/door"), 0o755);
  await run("systemctl", ["--root", root, "enable", "door.service"], limits);
  await run("ln", ["-sf", "../run/systemd/resolve/stub-resolv.conf", join(root, "etc/resolv.conf")]);
  for (const name of await readdir(join(root, "boot")))
    for (const [prefix, file] of [
      ["vmlinuz-", "vmlinuz"],
      ["initrd.img-", "initrd"],
    ] as const)
      if (name.startsWith(prefix)) await copyFile(join(root, "boot", name), join(folder, file));
  const disk = join(folder, "disk.img");
  await run("truncate", ["--size=3G", disk]);
  await run("mkfs.ext4", ["-q", "-L", "root", "-d", root, disk], limits);
  await chmod(disk, 0o600);
  await rm(root, { recursive: true });
}

/** An index of the packages in a folder: https://wiki.debian.org/DebianRepository/Format */
async function writeArchive(archive: string): Promise<void> {
  const script = `cd "$1"; rm -rf partial lock; for deb in *.deb; do
    dpkg-deb --field "$deb"
    printf 'Filename: %s\\nSize: %s\\nSHA256: %s\\n\\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
  done > Packages`;
  await run("bash", ["-ec", script, "bash", archive], limits);
}
