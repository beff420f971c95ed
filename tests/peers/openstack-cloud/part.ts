import type { OpenStack } from "../openstack/lab.ts";
import type { Sections } from "../openstack/ini.ts";

/** A lab with more services than Keystone and Swift. */
export interface Cloud extends OpenStack {
  cloudPorts: Record<(typeof cloudPortNames)[number], number>;
  /** Of MariaDB and RabbitMQ; and the key of Heat and Barbican, of 32 letters. */
  cloudSecrets: { database: string; queue: string; domain: string; key: string };
}

export const cloudPortNames = [
  "mariadb",
  "rabbit",
  "rabbitNodes",
  "epmd",
  "placement",
  "glance",
  "neutron",
  "cinder",
  "nova",
  "heat",
  "magnum",
  "barbican",
  "octavia",
  "trove",
] as const;

/** A program and what its environment has besides. */
export interface Program {
  command: readonly [string, ...string[]];
  env?: Record<string, string>;
}

/** One more service of a cloud: what it needs, how its database is made and what it runs. */
export interface Part {
  name: string;
  /** Its line of the catalog; a part with two has two. */
  catalog: readonly { type: string; name: string; url: string }[];
  databases: readonly string[];
  /** Files of its folder `etc/<name>/`. */
  files: Readonly<Record<string, Sections>>;
  /** Folders below `data/<name>/` that it does not make itself. */
  folders?: readonly string[];
  /** Make its tables, one after the other. */
  sync: readonly Program[];
  programs: Readonly<Record<string, Program>>;
  /** Answers when it is up: the program that does, and its URL. */
  answers: readonly [program: string, url: string];
  /** Says a word once the part is of use, which may be some time after it answers. */
  isReady?: Program & { says: string };
}

/** Where a part's own configuration is. */
export const confOf = ({ folder }: Cloud, name: string): string => `${folder}/etc/${name}/${name}.conf`;

/** Where a part keeps what it holds. */
export const dataOf = ({ folder }: Cloud, name: string): string => `${folder}/data/${name}`;

/** A URL of one of the cloud's ports. */
export const urlOf = ({ host, cloudPorts }: Cloud, name: keyof Cloud["cloudPorts"]): string =>
  `http://${host}:${cloudPorts[name]}`;

/** The address of a database for SQLAlchemy. */
export const databaseUrl = ({ host, cloudPorts, cloudSecrets }: Cloud, name: string): string =>
  `mysql+pymysql://lab:${cloudSecrets.database}@${host}:${cloudPorts.mariadb}/${name}?charset=utf8`;

/** The address of RabbitMQ. */
export const queueUrl = ({ host, cloudPorts, cloudSecrets }: Cloud): string =>
  `rabbit://lab:${cloudSecrets.queue}@${host}:${cloudPorts.rabbit}/`;

/** How a service's user logs in to Keystone. */
export const logInAs = ({ keystone, region, secrets }: Cloud, name: string) => ({
  auth_url: keystone,
  auth_type: "password",
  project_domain_id: "default",
  user_domain_id: "default",
  project_name: "service",
  username: name,
  password: secrets.service,
  region_name: region,
});

/** How a service checks the tokens of those who call it. */
export const checkTokens = (cloud: Cloud, name: string) => ({
  www_authenticate_uri: cloud.keystone,
  memcached_servers: `${cloud.host}:${cloud.ports.memcached}`,
  service_token_roles: "service",
  service_token_roles_required: true,
  ...logInAs(cloud, name),
});

/** A program that is told its own configuration. */
export const configured = (cloud: Cloud, name: string, program: string, ...rest: string[]): Program => ({
  command: [program, "--config-file", confOf(cloud, name), ...rest],
});

const uwsgiOptions =
  "--plugins python3 --master --need-app --lazy-apps --no-orphans --die-on-term --enable-threads --processes 1 --threads 4";

/** uWSGI for a service that is a WSGI program. */
export const uwsgi = (cloud: Cloud, port: keyof Cloud["cloudPorts"], file: string): Program["command"] => [
  "uwsgi",
  ...uwsgiOptions.split(" "),
  "--buffer-size",
  "65535",
  "--add-header",
  "Connection: close",
  "--wsgi-file",
  file,
  "--http-socket",
  `${cloud.host}:${cloud.cloudPorts[port]}`,
];
