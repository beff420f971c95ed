import {
  checkTokens,
  type Cloud,
  confOf,
  configured,
  databaseUrl,
  dataOf,
  logInAs,
  type Part,
  type Program,
  queueUrl,
  urlOf,
} from "./part.ts";

/** Volumes without a disk behind them. */
export function cinder(cloud: Cloud): Part {
  const url = `${urlOf(cloud, "cinder")}/v3/%(project_id)s`;
  const data = dataOf(cloud, "cinder");
  return {
    name: "cinder",
    catalog: [
      { type: "volumev3", name: "cinderv3", url },
      { type: "block-storage", name: "cinder", url },
    ],
    databases: ["cinder"],
    files: {
      "cinder.conf": {
        DEFAULT: {
          my_ip: cloud.host,
          host: "lab",
          osapi_volume_listen: cloud.host,
          osapi_volume_listen_port: cloud.cloudPorts.cinder,
          osapi_volume_workers: 1,
          auth_strategy: "keystone",
          transport_url: queueUrl(cloud),
          state_path: data,
          api_paste_config: "/etc/cinder/api-paste.ini",
          enabled_backends: "fake",
        },
        fake: {
          volume_driver: "cinder.tests.fake_driver.FakeLoggingVolumeDriver",
          volume_backend_name: "fake",
        },
        database: { connection: databaseUrl(cloud, "cinder") },
        oslo_concurrency: { lock_path: `${data}/lock` },
        nova: logInAs(cloud, "nova"),
        keystone_authtoken: checkTokens(cloud, "cinder"),
      },
    },
    sync: [configured(cloud, "cinder", "cinder-manage", "db", "sync")],
    programs: {
      "cinder-api": program(cloud, "cinder-api", "api"),
      "cinder-scheduler": program(cloud, "cinder-scheduler", "scheduler"),
      "cinder-volume": program(cloud, "cinder-volume", "volume"),
    },
    answers: ["cinder-api", `${urlOf(cloud, "cinder")}/`],
  };
}

/** The program of a package whose LVM, iSCSI target and services nothing here needs. */
const program = (cloud: Cloud, name: string, module: string): Program => ({
  command: [
    "/usr/bin/python3",
    "-c",
    `import sys; sys.argv[0] = '${name}'; from cinder.cmd.${module} import main; main()`,
    "--config-file",
    confOf(cloud, "cinder"),
  ],
});
