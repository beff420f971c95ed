import { execFile } from "node:child_process";
import { chown, copyFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { Unavailable, type Peer } from "../peer.ts";

const run = promisify(execFile);
const folder = join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "postgres");
const data = join(folder, "data");
const versions = "/usr/lib/postgresql";
const password = "for tests/alone";

/** Whose processes Postgres' are: it refuses to be root. */
let owner: { uid?: number; gid?: number } = {};
let programs: string | undefined;

/** Postgres from Debian's packages, with a cluster of its own that is gone afterwards. */
export const peer: Peer = {
  installs:
    "installs Debian's postgresql with apt-get if it is not there (about 60 MB), and starts a cluster in .cais/peers/postgres",
  async prepare() {
    programs = (await find()) ?? (await install());
    const isRoot = process.getuid?.() === 0;
    if (isRoot) owner = { uid: await idOf("-u"), gid: await idOf("-g") };
    await stop();
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o755 });
    await certify();
    await writeFile(join(folder, "password"), password);
    await mkdir(data, { mode: 0o700 });
    await own(data);
    await pg("initdb", ["-D", data, "-U", "cais", "--auth-local=trust", "--auth-host=scram-sha-256"], {
      extra: ["--pwfile", join(folder, "password"), "--no-sync"],
    });
    for (const name of ["server.crt", "server.key"]) {
      await copyFile(join(folder, name), join(data, name));
      await own(join(data, name));
    }
    const port = await freePort();
    const settings = {
      listen_addresses: "127.0.0.1",
      port: String(port),
      unix_socket_directories: data,
      ssl: "on",
      fsync: "off",
      // What a session inherits must not change what is written.
      DateStyle: "SQL, DMY",
      TimeZone: "Asia/Tokyo",
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
    await writeFile(join(data, "postgresql.auto.conf"), lines.join(""));
    await pg("pg_ctl", ["start", "-D", data, "-w", "-t", "60", "-l", join(data, "log")]);
    const address = `postgres://cais:${encodeURIComponent(password)}@`;
    return {
      CAIS_POSTGRES_URL: `${address}localhost:${port}/postgres`,
      CAIS_POSTGRES_SOCKET: `postgres://cais@localhost:${port}/postgres?host=${encodeURIComponent(data)}`,
      CAIS_POSTGRES_CA: join(folder, "ca.crt"),
    };
  },
  stop,
};

async function stop(): Promise<void> {
  if (programs === undefined) return;
  try {
    await pg("pg_ctl", ["stop", "-D", data, "-m", "immediate", "-w"]);
  } catch (error) {
    // None runs, or there is none yet.
    if (!/(PID file|does not exist|not a database cluster|is not accessible)/.test((error as Error).message))
      throw error;
  }
}

async function find(): Promise<string | undefined> {
  try {
    const newest = (await readdir(versions)).toSorted((a, b) => Number(b) - Number(a))[0];
    return newest && join(versions, newest, "bin");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function install(): Promise<string> {
  const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
  const get = ["install", "-y", "--no-install-recommends"];
  try {
    await run("apt-get", [...get, "postgresql-common"], options);
    // The package would start a cluster of its own.
    await run("sed", [
      "-i",
      "s/^#\\?create_main_cluster.*/create_main_cluster = false/",
      "/etc/postgresql-common/createcluster.conf",
    ]);
    await run("apt-get", [...get, "postgresql"], options);
  } catch (cause) {
    throw new Unavailable(`Postgres cannot be installed with apt-get: ${(cause as Error).message}`, { cause });
  }
  const found = await find();
  if (found === undefined) throw new Unavailable(`apt-get installed Postgres, but there is none in ${versions}`);
  return found;
}

const openssl = (arguments_: string[]) => run("openssl", arguments_, { cwd: folder });

/** An authority and a certificate of its own for localhost. */
async function certify(): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await openssl(["req", "-x509", ...key, "-subj", "/CN=Cais test authority", "-keyout", "ca.key", "-out", "ca.crt"]);
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", "server.key", "-out", "server.crt"];
  await openssl(["req", "-x509", ...key, ...name, ...signed]);
}

async function pg(program: string, arguments_: string[], { extra = [] }: { extra?: string[] } = {}): Promise<void> {
  if (programs === undefined) return;
  await run(join(programs, program), [...arguments_, ...extra], { ...owner, cwd: "/", timeout: 90_000 });
}

async function own(path: string): Promise<void> {
  if (owner.uid !== undefined && owner.gid !== undefined) await chown(path, owner.uid, owner.gid);
}

const idOf = async (kind: "-u" | "-g") => Number((await run("id", [kind, "postgres"])).stdout);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
