import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ini } from "../openstack/ini.ts";
import type { Lab } from "../openstack/lab.ts";
import { answers, startService, until } from "../services.ts";

/** What the gateway is made of. */
export const packages = ["ceph-mon", "ceph-osd", "radosgw", "ceph-common"];

/** A busy machine may take this long for a command. */
const PATIENCE = 180_000;
const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" };

/** Runs one of Ceph's programs on the cluster in the lab's folder. */
export async function ceph({ folder }: Pick<Lab, "folder">, program: string, args: readonly string[]): Promise<string> {
  const conf = join(folder, "etc", "ceph.conf");
  const { stdout } = await promisify(execFile)(program, ["-c", conf, ...args], { env, timeout: PATIENCE });
  return stdout;
}

/** Starts one monitor, one store in memory and the gateway, which asks the lab's Keystone who someone is. */
export async function startCeph(lab: Lab, ports: Record<"mon" | "gateway", number>): Promise<void> {
  const { folder, host } = lab;
  const data = join(folder, "data", "ceph");
  const id = randomUUID();
  for (const name of ["mon", "osd", "gateway", "run"]) await mkdir(join(data, name), { recursive: true });
  await writeFile(join(folder, "etc", "ceph.conf"), confOf(lab, data, id, ports), { mode: 0o600 });
  const map = join(data, "monmap");
  const address = `[v1:${host}:${ports.mon}]`;
  await promisify(execFile)("monmaptool", ["--create", "--clobber", "--fsid", id, "--addv", "a", address, map], {
    env,
  });
  await ceph(lab, "ceph-mon", ["--mkfs", "-i", "a", "--monmap", map]);
  const conf = ["-c", join(folder, "etc", "ceph.conf")];
  await startService(folder, "ceph-mon", ["ceph-mon", ...conf, "-i", "a", "-f"]);
  const asked = (args: string[]) => ceph(lab, "ceph", ["--connect-timeout", "20", ...args]);
  // The monitor ignores a store that was made with another id than it was told of.
  const osd = randomUUID();
  await until(folder, "ceph-mon", "takes a store", async () => (await asked(["osd", "new", osd, "0"])) !== "");
  await asked(["osd", "crush", "add", "osd.0", "1.0", "root=default", "host=cais"]);
  await ceph(lab, "ceph-osd", ["-i", "0", "--mkfs", "--osd-uuid", osd]);
  await startService(folder, "ceph-osd", ["ceph-osd", ...conf, "-i", "0", "-f"]);
  await until(folder, "ceph-osd", "is up", async () => (await asked(["osd", "stat"])).includes(" 1 up"));
  await startService(folder, "radosgw", ["radosgw", ...conf, "-n", "client.rgw", "-f"]);
  await answers(folder, "radosgw", `http://${host}:${ports.gateway}/`, (status) => status === 200);
}

const confOf = (lab: Lab, data: string, id: string, ports: Record<"mon" | "gateway", number>) =>
  ini({
    global: {
      fsid: id,
      mon_host: `v1:${lab.host}:${ports.mon}`,
      mon_initial_members: "a",
      public_addr: lab.host,
      public_network: "127.0.0.0/8",
      ms_bind_msgr2: false,
      auth_cluster_required: "none",
      auth_service_required: "none",
      auth_client_required: "none",
      osd_pool_default_size: 1,
      osd_pool_default_min_size: 1,
      mon_allow_pool_size_one: true,
      osd_pool_default_pg_num: 8,
      osd_pool_default_pgp_num: 8,
      mon_max_pg_per_osd: 1000,
      osd_crush_chooseleaf_type: 0,
      run_dir: join(data, "run"),
      admin_socket: join(data, "run", "$name.asok"),
      log_file: join(lab.folder, "log", "$name.log"),
      mon_data_avail_crit: 1,
      mon_data_avail_warn: 2,
    },
    "mon.a": { mon_data: join(data, "mon") },
    "osd.0": {
      osd_data: join(data, "osd"),
      osd_objectstore: "memstore",
      memstore_device_bytes: 4_294_967_296,
      // A store that tells these at its start ends when it does so before it knows the cluster: "wrong fsid".
      osd_class_update_on_start: false,
      osd_crush_update_on_start: false,
    },
    "client.rgw": {
      rgw_data: join(data, "gateway"),
      rgw_frontends: `beast endpoint=${lab.host}:${ports.gateway}`,
      rgw_enable_apis: "s3, swift, swift_auth, admin, notifications",
      rgw_thread_pool_size: 32,
      rgw_keystone_url: lab.keystone.replace(/\/v3$/, ""),
      rgw_keystone_api_version: 3,
      rgw_keystone_admin_user: "swift",
      rgw_keystone_admin_password: lab.secrets.service,
      rgw_keystone_admin_domain: "Default",
      rgw_keystone_admin_project: "service",
      rgw_keystone_accepted_roles: "admin, member",
      rgw_swift_account_in_url: true,
      // An address with a password is taken by TLS only, and here nothing ends it.
      rgw_trust_forwarded_https: true,
    },
  });
