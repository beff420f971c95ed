import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { answers, startService, stopService } from "../services.ts";
import { ini } from "./ini.ts";
import type { Lab } from "./lab.ts";

const run = promisify(execFile);

/** What a test may want otherwise. */
export interface KeystoneSettings {
  /** How long a token is valid, in seconds; 3,600 unless told. */
  tokenExpiry?: number;
}

const confOf = ({ folder }: Pick<Lab, "folder">) => join(folder, "etc", "keystone");

/** Makes Keystone's keys, its database and its administrator. */
export async function prepareKeystone(lab: Lab): Promise<void> {
  const { folder, keystone, region, secrets } = lab;
  const data = join(folder, "data", "keystone");
  await Promise.all([writeKeys(join(data, "fernet-keys")), writeKeys(join(data, "credential-keys"))]);
  await writeConf(lab, {});
  // Readers then need not wait for a writer.
  const database = new DatabaseSync(join(data, "keystone.db"));
  database.exec("PRAGMA journal_mode = WAL");
  database.close();
  await manage(lab, ["db_sync"]);
  const urls = ["public", "internal", "admin"].flatMap((kind) => [`--bootstrap-${kind}-url`, keystone]);
  // By the environment: what stands on a command line can be read by all of the machine.
  await manage(lab, ["bootstrap", "--bootstrap-region-id", region, ...urls], { OS_BOOTSTRAP_PASSWORD: secrets.admin });
}

/** Starts Keystone, or starts it anew with other settings; tokens and credentials stay as they are. */
export async function startKeystone(lab: Lab, settings: KeystoneSettings = {}): Promise<void> {
  const { folder, host, ports, keystone } = lab;
  await stopService(folder, "keystone");
  await writeConf(lab, settings);
  const uwsgi = {
    plugins: "python3",
    master: true,
    "need-app": true,
    "lazy-apps": true,
    "no-orphans": true,
    "die-on-term": true,
    "enable-threads": true,
    processes: 2,
    threads: 4,
    "buffer-size": 65_535,
    // It closes every connection; without the header it would do so silently, and a client's next request be lost.
    "add-header": "Connection: close",
    "wsgi-file": "/usr/bin/keystone-wsgi-public",
    "http-socket": `${host}:${ports.keystone}`,
  };
  await writeFile(join(confOf(lab), "uwsgi.ini"), ini({ uwsgi }));
  const command = ["uwsgi", "--ini", join(confOf(lab), "uwsgi.ini")] as const;
  await startService(folder, "keystone", [...command], { OS_KEYSTONE_CONFIG_DIR: confOf(lab) });
  await answers(folder, "keystone", `${keystone}/`, (status) => status === 200);
}

/**
 * A key in use and the next one: keystone-manage would take seconds to make them.
 * https://docs.openstack.org/keystone/zed/admin/fernet-token-faq.html
 */
async function writeKeys(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of ["0", "1"])
    await writeFile(join(folder, name), randomBytes(32).toString("base64url") + "=", { mode: 0o600 });
}

async function manage({ folder }: Lab, arguments_: string[], env: Record<string, string> = {}): Promise<void> {
  const command = ["--config-file", join(confOf({ folder }), "keystone.conf"), ...arguments_];
  const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
  await run("keystone-manage", command, { cwd: folder, env: { HOME: folder, PATH, ...env }, timeout: 300_000 });
}

async function writeConf(lab: Lab, { tokenExpiry = 3600 }: KeystoneSettings): Promise<void> {
  const { folder, host, ports } = lab;
  const data = join(folder, "data", "keystone");
  await mkdir(confOf(lab), { recursive: true });
  const conf = ini({
    DEFAULT: { log_file: join(folder, "log", "keystone-app.log"), public_endpoint: `http://${host}:${ports.keystone}` },
    // A disk with other work takes longer for a commit than the five seconds that a second writer would wait.
    database: { connection: `sqlite:///${join(data, "keystone.db")}?timeout=60` },
    token: { provider: "fernet", expiration: tokenExpiry },
    fernet_tokens: { key_repository: join(data, "fernet-keys") },
    fernet_receipts: { key_repository: join(data, "fernet-keys") },
    credential: { key_repository: join(data, "credential-keys") },
    // The passwords are random: the price of guessing one need not be paid at every login.
    identity: { password_hash_rounds: 4 },
    // Without a cache a call takes up to a second.
    cache: { enabled: true, backend: "dogpile.cache.memcached", memcache_servers: `${host}:${ports.memcached}` },
  });
  await writeFile(join(confOf(lab), "keystone.conf"), conf, { mode: 0o600 });
}
