import { userInfo } from "node:os";
import { join } from "node:path";
import { ini, type Sections } from "./ini.ts";
import type { Lab } from "./lab.ts";

/** What a test may want otherwise. */
export interface SwiftSettings {
  /** The most names that one listing gives; 10,000 unless told. */
  listingLimit?: number;
  /** The most bytes of one object that is not made of segments; 5 GiB unless told. */
  maxFileSize?: number;
  /** Writes to a container in a second; more than 5 s' worth of them at once are answered with 498. Unlimited unless told. */
  writesPerSecond?: number;
  /** Processes of the proxy; one unless told. */
  workers?: number;
  /** More filters of the proxy, right before `versioned_writes`, by name. */
  filters?: Readonly<Record<string, Readonly<Record<string, string | number>>>>;
  /** Where Python finds the modules of those filters. */
  pythonPath?: string;
}

const pipeline = (filters: string[]) =>
  [
    "catch_errors gatekeeper healthcheck proxy-logging cache listing_formats container_sync bulk tempurl ratelimit formpost",
    "s3api authtoken s3token keystoneauth staticweb copy",
    "container-quotas account-quotas slo dlo",
    ...filters,
    "versioned_writes symlink proxy-logging proxy-server",
  ].join(" ");

const egg = (name: string) => `egg:swift#${name}`;

/** The proxy's configuration, with the pipeline of Swift's own example. */
export function proxyConf(lab: Lab, { writesPerSecond, workers = 0, filters = {} }: SwiftSettings): string {
  const { host, ports, keystone, region } = lab;
  const service = {
    auth_type: "password",
    auth_url: keystone,
    username: "swift",
    password: lab.secrets.service,
    project_name: "service",
    user_domain_id: "default",
    project_domain_id: "default",
  };
  const plain = [
    ["catch_errors", "gatekeeper", "healthcheck", "listing_formats", "container_sync", "bulk", "formpost", "staticweb"],
    ["copy", "slo", "dlo", "symlink"],
  ].flat();
  return ini({
    DEFAULT: { ...shared(lab), bind_port: ports.proxy, log_name: "swift-proxy", workers },
    "pipeline:main": { pipeline: pipeline(Object.keys(filters)) },
    "app:proxy-server": { use: egg("proxy"), account_autocreate: true, allow_account_management: true },
    ...Object.fromEntries(plain.map((name) => [`filter:${name}`, { use: egg(name) }])),
    "filter:proxy-logging": { use: egg("proxy_logging") },
    "filter:cache": { use: egg("memcache"), memcache_servers: `${host}:${ports.memcached}` },
    "filter:tempurl": { use: egg("tempurl"), methods: "GET HEAD PUT POST DELETE" },
    "filter:ratelimit": { use: egg("ratelimit"), max_sleep_time_seconds: 2, container_ratelimit_0: writesPerSecond },
    "filter:s3api": { use: egg("s3api"), location: region, s3_acl: false },
    "filter:s3token": {
      use: egg("s3token"),
      auth_uri: keystone,
      reseller_prefix: "AUTH_",
      delay_auth_decision: true,
      secret_cache_duration: 60,
      ...service,
    },
    "filter:authtoken": {
      "paste.filter_factory": "keystonemiddleware.auth_token:filter_factory",
      www_authenticate_uri: keystone,
      ...service,
      delay_auth_decision: true,
      cache: "swift.cache",
      // Without these two, Keystone does not enforce the access rules of application credentials.
      service_type: "object-store",
      include_service_catalog: true,
      service_token_roles_required: true,
    },
    "filter:keystoneauth": {
      use: egg("keystoneauth"),
      reseller_prefix: "AUTH_",
      operator_roles: "admin, member, swiftoperator",
      project_reader_roles: "reader",
      reseller_admin_role: "ResellerAdmin",
    },
    "filter:container-quotas": { use: egg("container_quotas") },
    "filter:account-quotas": { use: egg("account_quotas") },
    "filter:versioned_writes": {
      use: egg("versioned_writes"),
      allow_versioned_writes: true,
      allow_object_versioning: true,
    },
    ...Object.fromEntries(Object.entries(filters).map(([name, settings]) => [`filter:${name}`, settings])),
  } satisfies Sections);
}

/** The configuration of a server that holds accounts, containers or objects. */
export function serverConf(lab: Lab, name: "account" | "container" | "object"): string {
  return ini({
    DEFAULT: { ...shared(lab), bind_port: lab.ports[name], log_name: `swift-${name}` },
    "pipeline:main": { pipeline: `healthcheck ${name}-server` },
    [`app:${name}-server`]: { use: egg(name) },
    "filter:healthcheck": { use: egg("healthcheck") },
  });
}

/** The configuration of what tells a container of objects that were put while its server was away. */
export function updaterConf(lab: Lab): string {
  const cache = join(lab.folder, "data", "swift");
  return ini({
    DEFAULT: { ...shared(lab), log_name: "swift-updater" },
    "object-updater": { interval: 2, concurrency: 1, recon_cache_path: cache },
  });
}

const shared = ({ folder, host }: Lab) => ({
  swift_dir: join(folder, "etc", "swift"),
  bind_ip: host,
  workers: 0,
  user: userInfo().username,
  log_level: "INFO",
  devices: join(folder, "data", "swift"),
  mount_check: false,
  fallocate_reserve: 0,
});
