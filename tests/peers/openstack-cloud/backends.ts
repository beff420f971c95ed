import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startService, until } from "../services.ts";
import { type Cloud, dataOf } from "./part.ts";

const run = promisify(execFile);

/** Starts MariaDB, with a user and the databases. */
export async function startDatabase(cloud: Cloud, databases: readonly string[]): Promise<void> {
  const { folder, host, cloudPorts, cloudSecrets } = cloud;
  const data = dataOf(cloud, "mariadb");
  const user = `--user=${userInfo().username}`;
  await mkdir(data, { recursive: true });
  const install = [
    "--no-defaults",
    `--datadir=${data}`,
    user,
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
  ];
  await run("mariadb-install-db", install, { timeout: 300_000 });
  // A socket's path has at most 107 characters, which a folder's may be longer than: so it is told from the data folder.
  const socket = "socket";
  await startService(folder, "mariadb", [
    "mariadbd",
    "--no-defaults",
    user,
    `--datadir=${data}`,
    `--socket=${socket}`,
    `--bind-address=${host}`,
    `--port=${cloudPorts.mariadb}`,
    "--skip-name-resolve",
    // Nothing here outlives a crash of the machine.
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--sync-binlog=0",
    "--max-connections=500",
    "--character-set-server=utf8mb3",
  ]);
  await untilOpen(cloud, "mariadb", cloudPorts.mariadb);
  const script = join(folder, "etc", "mariadb.sql");
  const statements = [
    `CREATE USER lab@'${host}' IDENTIFIED BY '${cloudSecrets.database}';`,
    `GRANT ALL ON *.* TO lab@'${host}' WITH GRANT OPTION;`,
    `ALTER USER root@localhost IDENTIFIED BY '${cloudSecrets.database}';`,
    "DELETE FROM mysql.global_priv WHERE User = '';",
    "FLUSH PRIVILEGES;",
    ...databases.map((name) => `CREATE DATABASE ${name};`),
  ];
  await writeFile(script, statements.join("\n"), { mode: 0o600 });
  const client = ["--no-defaults", `--socket=${socket}`, "-u", "root", "-e", `source ${script}`];
  await run("mariadb", client, { cwd: data, timeout: 120_000 });
}

/** Starts a node of RabbitMQ that nobody else finds. */
export async function startQueue(cloud: Cloud): Promise<void> {
  const { folder, host, cloudPorts, cloudSecrets } = cloud;
  const data = dataOf(cloud, "rabbitmq");
  await mkdir(join(folder, "etc", "rabbitmq"), { recursive: true });
  await mkdir(data, { recursive: true, mode: 0o700 });
  const settings = [
    `listeners.tcp.1 = ${host}:${cloudPorts.rabbit}`,
    "default_user = lab",
    `default_pass = ${cloudSecrets.queue}`,
    "loopback_users = none",
    "vm_memory_high_watermark.absolute = 512MiB",
    "disk_free_limit.absolute = 200MB",
  ];
  const conf = join(folder, "etc", "rabbitmq", "rabbitmq.conf");
  await writeFile(conf, settings.join("\n") + "\n", { mode: 0o600 });
  await writeFile(join(folder, "etc", "rabbitmq", "plugins"), "[].\n");
  const erlang = (await readdir("/usr/lib/erlang")).find((name) => name.startsWith("erts-")) ?? "";
  const epmd = ["/usr/lib/erlang", erlang, "bin", "epmd"].join("/");
  const names = { ERL_EPMD_ADDRESS: host, ERL_EPMD_PORT: String(cloudPorts.epmd) };
  await startService(folder, "epmd", [epmd, "-port", String(cloudPorts.epmd)], names);
  await untilOpen(cloud, "epmd", cloudPorts.epmd);
  await startService(folder, "rabbitmq", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], {
    ...names,
    // Erlang's cookie is in its home.
    HOME: data,
    RABBITMQ_NODENAME: "lab@localhost",
    RABBITMQ_DIST_PORT: String(cloudPorts.rabbitNodes),
    RABBITMQ_CONFIG_FILE: conf,
    RABBITMQ_MNESIA_BASE: data,
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "etc", "rabbitmq", "plugins"),
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
  });
  await untilOpen(cloud, "rabbitmq", cloudPorts.rabbit);
  await chmod(join(folder, "log"), 0o700);
}

/** Waits until a service of the cloud listens. */
async function untilOpen({ folder, host }: Cloud, name: string, port: number): Promise<void> {
  await until(folder, name, `port ${port}`, async () => {
    const socket = connect(port, host);
    try {
      await new Promise((done, failed) => socket.once("connect", done).once("error", failed));
      return true;
    } finally {
      socket.destroy();
    }
  });
}
