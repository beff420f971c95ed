import {
  checkTokens,
  configured,
  type Cloud,
  databaseUrl,
  dataOf,
  logInAs,
  type Part,
  queueUrl,
  urlOf,
  uwsgi,
} from "./part.ts";

export function heat(cloud: Cloud): Part {
  const url = urlOf(cloud, "heat");
  const { region_name: _, ...trustee } = logInAs(cloud, "heat");
  return {
    name: "heat",
    catalog: [{ type: "orchestration", name: "heat", url: `${url}/v1/%(project_id)s` }],
    databases: ["heat"],
    files: {
      "heat.conf": {
        DEFAULT: {
          transport_url: queueUrl(cloud),
          num_engine_workers: 1,
          deferred_auth_method: "password",
          auth_encryption_key: cloud.cloudSecrets.key,
          stack_user_domain_name: "heat",
          stack_domain_admin: "heat_domain_admin",
          stack_domain_admin_password: cloud.cloudSecrets.domain,
          heat_metadata_server_url: url,
          environment_dir: "/etc/heat/environment.d",
          template_dir: "/etc/heat/templates",
        },
        database: { connection: databaseUrl(cloud, "heat") },
        heat_api: { bind_host: cloud.host, bind_port: cloud.cloudPorts.heat, workers: 0 },
        paste_deploy: { api_paste_config: "/etc/heat/api-paste.ini" },
        clients_keystone: { auth_uri: cloud.keystone },
        trustee,
        keystone_authtoken: checkTokens(cloud, "heat"),
      },
    },
    sync: [configured(cloud, "heat", "heat-manage", "db_sync")],
    // Together, as heat-all, they would listen on a fixed port for CloudFormation, too.
    programs: {
      "heat-api": configured(cloud, "heat", "heat-api"),
      "heat-engine": configured(cloud, "heat", "heat-engine"),
    },
    answers: ["heat-api", `${url}/`],
  };
}

/** Takes templates and clusters; a cluster ends CREATE_FAILED, because its machines boot in name only. */
export function magnum(cloud: Cloud): Part {
  const url = urlOf(cloud, "magnum");
  const data = dataOf(cloud, "magnum");
  return {
    name: "magnum",
    catalog: [{ type: "container-infra", name: "magnum", url: `${url}/v1` }],
    databases: ["magnum"],
    folders: ["certificates"],
    files: {
      "magnum.conf": {
        DEFAULT: { transport_url: queueUrl(cloud), host: "lab", state_path: data },
        api: {
          host: cloud.host,
          port: cloud.cloudPorts.magnum,
          workers: 1,
          api_paste_config: "/etc/magnum/api-paste.ini",
        },
        conductor: { workers: 1 },
        database: { connection: databaseUrl(cloud, "magnum") },
        certificates: { cert_manager_type: "x509keypair" },
        cluster: {
          temp_cache_dir: `${data}/certificates`,
          // Nobody listens there: a cluster fails at once, and not after the hour in which its machines tell nothing.
          etcd_discovery_service_endpoint_format: "http://127.0.0.1:9/new?size=%(size)d",
        },
        oslo_concurrency: { lock_path: `${data}/lock` },
        trust: {
          // Without it no cluster may have the cloud's volumes and balancers.
          cluster_user_trust: true,
          trustee_domain_name: "magnum",
          trustee_domain_admin_name: "magnum_domain_admin",
          trustee_domain_admin_password: cloud.cloudSecrets.domain,
          trustee_keystone_interface: "public",
        },
        keystone_auth: logInAs(cloud, "magnum"),
        keystone_authtoken: { ...checkTokens(cloud, "magnum"), auth_version: "v3" },
        cinder_client: { region_name: cloud.region },
      },
    },
    sync: [configured(cloud, "magnum", "magnum-db-manage", "upgrade")],
    programs: {
      "magnum-api": configured(cloud, "magnum", "magnum-api"),
      "magnum-conductor": configured(cloud, "magnum", "magnum-conductor"),
    },
    answers: ["magnum-api", `${url}/`],
  };
}

export function barbican(cloud: Cloud): Part {
  const url = urlOf(cloud, "barbican");
  // It takes no --config-file, and looks into ~/.barbican first.
  const env = { HOME: `${cloud.folder}/etc/barbican` };
  return {
    name: "barbican",
    catalog: [{ type: "key-manager", name: "barbican", url }],
    databases: ["barbican"],
    files: {
      ".barbican/barbican.conf": {
        DEFAULT: {
          host_href: url,
          sql_connection: databaseUrl(cloud, "barbican"),
          db_auto_create: false,
          transport_url: queueUrl(cloud),
        },
        database: { connection: databaseUrl(cloud, "barbican") },
        secretstore: { enabled_secretstore_plugins: "store_crypto" },
        crypto: { enabled_crypto_plugins: "simple_crypto" },
        simple_crypto_plugin: { kek: Buffer.from(cloud.cloudSecrets.key).toString("base64") },
        queue: { enable: false },
        keystone_authtoken: {
          ...checkTokens(cloud, "barbican"),
          // Without it, Keystone does not enforce the access rules of application credentials.
          service_type: "key-manager",
        },
      },
    },
    sync: [{ command: ["barbican-manage", "db", "upgrade"], env }],
    programs: { barbican: { command: uwsgi(cloud, "barbican", "/usr/bin/barbican-wsgi-api"), env } },
    answers: ["barbican", `${url}/`],
  };
}
