import { Configuration } from "@pulumi/openstack/database/configuration.js";
import { Instance } from "@pulumi/openstack/database/instance.js";
import { User } from "@pulumi/openstack/database/user.js";
import { validateResourceOfType } from "@pulumi/policy";
import { ifKnown, knownItems } from "./if-known.ts";
import { validateProtection } from "./protection.ts";
import type { ResourceRule } from "./rule.ts";
import { endOfSupport, isProduct } from "./version.ts";

const rds = (control: number) => ({
  name: `FSBP RDS.${control}`,
  url: `https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-${control}`,
});

export const requireNetwork: ResourceRule = {
  name: "database-require-network",
  description: "A database must be in a private network that the program names.",
  severity: "high",
  remediationSteps: "Name the platform's network in networks: without any, Trove takes one that the operator chose.",
  references: [rds(2), { name: "Trove user guide", url: "https://docs.openstack.org/trove/latest/user/" }],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Instance, (instance, { name }, report) => {
      if (ifKnown(() => (instance.networks ?? []).length) === 0)
        report(`${name} must be in a network of this environment, and names none.`);
    }),
  ],
};

export const requireSupportedVersion: ResourceRule = {
  name: "database-require-supported-version",
  description: "A database must run a version that still gets fixes.",
  severity: "high",
  remediationSteps: "Name a supported version in datastore, as `openstack datastore version list` offers it.",
  references: [rds(13), { name: "PostgreSQL versions", url: "https://www.postgresql.org/support/versioning/" }],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Instance, (instance, { name }, report) => {
      // A template may leave out what a program must give.
      const store: Partial<typeof instance.datastore> | undefined = ifKnown(() => ({ ...instance.datastore }));
      if (!store?.type || !store.version || !isProduct(store.type)) return;
      const ended = endOfSupport(store.type, store.version, new Date());
      if (ended)
        report(
          `${name} must run a supported version, and support of ${store.type} ${store.version} ended by ${ended}.`,
        );
    }),
  ],
};

/** Trove's default for MySQL and its kin is `%`, every host; PostgreSQL knows no hosts of users. */
const hasHosts = (datastore: string | undefined) => datastore !== undefined && /mysql|mariadb|percona/.test(datastore);

export const disallowAnyHost: ResourceRule = {
  name: "database-disallow-any-host",
  description: "A user of a database must log in from named hosts only.",
  severity: "medium",
  remediationSteps:
    "Set the user's host to the address or the network that the workload calls from, such as 10.20.0.%.",
  references: [{ name: "Trove, users", url: "https://docs.openstack.org/api-ref/database/#database-users-users" }],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Instance, (instance, { name }, report) => {
      const datastore = ifKnown(() => instance.datastore?.type);
      for (const user of knownItems(() => instance.users))
        if (ifKnown(() => user.host === "%" || (!user.host && hasHosts(datastore))))
          report(
            `${name} must say where its user ${ifKnown(() => user.name) ?? ""} logs in from, and allows every host.`,
          );
    }),
    validateResourceOfType(User, (user, { name }, report) => {
      if (ifKnown(() => user.host) === "%") report(`${name} must say where it logs in from, and allows every host.`);
    }),
  ],
};

/** Settings that turn off what a database protects itself with: those of MySQL and MariaDB, then those of PostgreSQL. */
const unsafe: Readonly<Record<string, readonly [value: RegExp, why: string]>> = {
  require_secure_transport: [/^(?:off|0|false)$/i, "connections must be encrypted"],
  local_infile: [/^(?:on|1|true)$/i, "clients must not be asked for their files"],
  skip_grant_tables: [/^(?:on|1|true)$/i, "users must be asked for their passwords"],
  secure_file_priv: [/^$/, "files must be read from one folder only"],
  general_log: [/^(?:on|1|true)$/i, "statements, which may hold passwords, must not be written to a log in full"],
  ssl: [/^(?:off|0|false)$/i, "connections must be encrypted"],
  password_encryption: [/^(?:md5|off)$/i, "passwords must be kept as SCRAM-SHA-256"],
  log_connections: [/^(?:off|0|false)$/i, "connections must be logged"],
  fsync: [/^(?:off|0|false)$/i, "a commit must be on the disk"],
};

export const disallowUnsafeSetting: ResourceRule = {
  name: "database-disallow-unsafe-setting",
  description: "A configuration group must leave a database's own protection on.",
  severity: "high",
  remediationSteps: "Drop the setting, or turn it the other way.",
  references: [
    { name: "CIS PostgreSQL", url: "https://www.cisecurity.org/benchmark/postgresql" },
    { name: "CIS MySQL", url: "https://www.cisecurity.org/benchmark/oracle_mysql" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Configuration, (group, { name }, report) => {
      for (const setting of knownItems(() => group.configurations)) {
        const [key, value] = ifKnown(() => [setting.name, setting.value] as const) ?? ["", ""];
        const [wrong, why] = unsafe[key] ?? [];
        if (wrong?.test(value)) report(`${name} must not set ${key} to "${value}": ${why}.`);
      }
    }),
  ],
};

export const requireProtection: ResourceRule = {
  name: "database-require-protection",
  description: "Databases must be protected from deletion.",
  severity: "high",
  remediationSteps:
    "Set `protect: true`. To delete the data, set cais:allowDataDeletion for the stack, and the component's own switch.",
  references: [rds(8)],
  enforcementLevel: "mandatory",
  validateResource: validateProtection(Instance),
};

export const rules = [
  requireNetwork,
  requireSupportedVersion,
  disallowAnyHost,
  disallowUnsafeSetting,
  requireProtection,
];
