import {
  checkTokens,
  type Cloud,
  configured,
  databaseUrl,
  dataOf,
  logInAs,
  type Part,
  queueUrl,
  urlOf,
} from "./part.ts";

/** Load balancers with ports of Neutron's and without machines: nothing listens at them. */
export function octavia(cloud: Cloud): Part {
  const url = urlOf(cloud, "octavia");
  // It signs a certificate for each machine, whether there is one or not.
  const [authority, key] = [`${dataOf(cloud, "octavia")}/authority.pem`, `${dataOf(cloud, "octavia")}/authority.key`];
  return {
    name: "octavia",
    catalog: [{ type: "load-balancer", name: "octavia", url }],
    databases: ["octavia"],
    files: {
      "octavia.conf": {
        DEFAULT: { transport_url: queueUrl(cloud), host: "lab" },
        api_settings: {
          bind_host: cloud.host,
          bind_port: cloud.cloudPorts.octavia,
          auth_strategy: "keystone",
          enabled_provider_drivers: "amphora:machines that are not there",
          default_provider_driver: "amphora",
        },
        controller_worker: {
          workers: 1,
          amphora_driver: "amphora_noop_driver",
          compute_driver: "compute_noop_driver",
          image_driver: "image_noop_driver",
          // octavia_ports.py
          network_driver: "ports_driver",
          client_ca: authority,
        },
        networking: { retry_interval: 1, port_detach_timeout: 5 },
        certificates: {
          cert_generator: "local_cert_generator",
          ca_certificate: authority,
          ca_private_key: key,
          server_certs_key_passphrase: cloud.cloudSecrets.key,
          region_name: cloud.region,
        },
        oslo_messaging: { topic: "octavia" },
        database: { connection: databaseUrl(cloud, "octavia") },
        service_auth: logInAs(cloud, "octavia"),
        keystone_authtoken: checkTokens(cloud, "octavia"),
      },
    },
    sync: [
      {
        command: [
          "openssl",
          ..."req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=lab".split(" "),
          "-keyout",
          key,
          "-out",
          authority,
        ],
      },
      configured(cloud, "octavia", "octavia-db-manage", "upgrade", "head"),
    ],
    programs: {
      "octavia-api": configured(cloud, "octavia", "octavia-api"),
      "octavia-worker": configured(cloud, "octavia", "octavia-worker"),
    },
    answers: ["octavia-api", `${url}/`],
  };
}
