import {
  checkTokens,
  type Cloud,
  confOf,
  configured,
  databaseUrl,
  dataOf,
  logInAs,
  type Part,
  queueUrl,
  urlOf,
} from "./part.ts";

/** `trove-manage` of Debian 12 asks for a function that its Python has no more. */
const manage = "import inspect; inspect.getargspec = inspect.getfullargspec; from trove.cmd.manage import main; main()";

/** Databases on servers, volumes and ports that are made for real, without the agent in them: trove_guest.py answers for it. */
export function trove(cloud: Cloud): Part {
  const url = urlOf(cloud, "trove");
  return {
    name: "trove",
    catalog: [{ type: "database", name: "trove", url: `${url}/v1.0/%(project_id)s` }],
    databases: ["trove"],
    files: {
      "trove.conf": {
        DEFAULT: {
          transport_url: queueUrl(cloud),
          bind_host: cloud.host,
          bind_port: cloud.cloudPorts.trove,
          trove_api_workers: 1,
          api_paste_config: "/etc/trove/api-paste.ini",
          remote_guest_client: "trove_guest.agent_of",
          network_driver: "trove.network.neutron.NeutronDriver",
          default_datastore: "postgresql",
          cloudinit_location: dataOf(cloud, "trove"),
          usage_sleep_time: 1,
          update_status_on_fail: true,
        },
        database: { connection: databaseUrl(cloud, "trove") },
        service_credentials: logInAs(cloud, "trove"),
        keystone_authtoken: checkTokens(cloud, "trove"),
      },
    },
    sync: [{ command: ["/usr/bin/python3", "-c", manage, "--config-file", confOf(cloud, "trove"), "db_sync"] }],
    programs: {
      "trove-api": configured(cloud, "trove", "trove-api"),
      "trove-taskmanager": configured(cloud, "trove", "trove-taskmanager"),
    },
    answers: ["trove-api", `${url}/`],
  };
}
