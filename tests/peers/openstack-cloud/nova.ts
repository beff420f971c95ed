import {
  checkTokens,
  configured,
  type Cloud,
  confOf,
  databaseUrl,
  dataOf,
  logInAs,
  type Part,
  queueUrl,
  urlOf,
  uwsgi,
} from "./part.ts";

export function placement(cloud: Cloud): Part {
  const url = urlOf(cloud, "placement");
  return {
    name: "placement",
    catalog: [{ type: "placement", name: "placement", url }],
    databases: ["placement"],
    files: {
      "placement.conf": {
        placement_database: { connection: databaseUrl(cloud, "placement") },
        api: { auth_strategy: "keystone" },
        keystone_authtoken: checkTokens(cloud, "placement"),
      },
    },
    sync: [configured(cloud, "placement", "placement-manage", "db", "sync")],
    programs: {
      placement: {
        command: uwsgi(cloud, "placement", "/usr/bin/placement-api"),
        env: { OS_PLACEMENT_CONFIG_DIR: `${cloud.folder}/etc/placement` },
      },
    },
    answers: ["placement", `${url}/`],
  };
}

export function glance(cloud: Cloud): Part {
  const url = urlOf(cloud, "glance");
  const data = dataOf(cloud, "glance");
  return {
    name: "glance",
    catalog: [{ type: "image", name: "glance", url }],
    databases: ["glance"],
    folders: ["images", "tasks", "staging"],
    files: {
      "glance.conf": {
        DEFAULT: {
          bind_host: cloud.host,
          bind_port: cloud.cloudPorts.glance,
          workers: 0,
          enabled_backends: "files:file",
        },
        database: { connection: databaseUrl(cloud, "glance") },
        glance_store: { default_backend: "files" },
        files: { filesystem_store_datadir: `${data}/images` },
        os_glance_tasks_store: { filesystem_store_datadir: `${data}/tasks` },
        os_glance_staging_store: { filesystem_store_datadir: `${data}/staging` },
        paste_deploy: { flavor: "keystone", config_file: "/etc/glance/glance-api-paste.ini" },
        keystone_authtoken: checkTokens(cloud, "glance"),
      },
    },
    sync: [configured(cloud, "glance", "glance-manage", "db_sync")],
    programs: { glance: configured(cloud, "glance", "glance-api") },
    answers: ["glance", `${url}/`],
  };
}

/** Networks without a data plane: every port is bound at once. */
export function neutron(cloud: Cloud): Part {
  const url = urlOf(cloud, "neutron");
  const data = dataOf(cloud, "neutron");
  return {
    name: "neutron",
    catalog: [{ type: "network", name: "neutron", url }],
    databases: ["neutron"],
    files: {
      "neutron.conf": {
        DEFAULT: {
          bind_host: cloud.host,
          bind_port: cloud.cloudPorts.neutron,
          core_plugin: "ml2",
          service_plugins: "router",
          api_workers: 0,
          rpc_workers: 0,
          transport_url: queueUrl(cloud),
          auth_strategy: "keystone",
          state_path: data,
          api_paste_config: "/etc/neutron/api-paste.ini",
          notify_nova_on_port_status_changes: false,
          notify_nova_on_port_data_changes: false,
        },
        database: { connection: databaseUrl(cloud, "neutron") },
        oslo_concurrency: { lock_path: `${data}/lock` },
        ml2: {
          type_drivers: "local,flat,vlan,vxlan",
          tenant_network_types: "vxlan",
          mechanism_drivers: "bind_all",
          extension_drivers: "port_security",
        },
        ml2_type_flat: { flat_networks: "public" },
        ml2_type_vxlan: { vni_ranges: "1:1000" },
        securitygroup: { enable_security_group: true },
        keystone_authtoken: checkTokens(cloud, "neutron"),
        nova: logInAs(cloud, "nova"),
      },
    },
    sync: [configured(cloud, "neutron", "neutron-db-manage", "upgrade", "head")],
    programs: { neutron: configured(cloud, "neutron", "neutron-server") },
    answers: ["neutron", `${url}/`],
  };
}

/** Servers without a hypervisor: they are ACTIVE in name only. */
export function nova(cloud: Cloud): Part {
  const data = dataOf(cloud, "nova");
  const cell0 = databaseUrl(cloud, "nova_cell0");
  const compute = "import sys; sys.argv[0] = 'nova-compute'; from nova.cmd.compute import main; main()";
  return {
    name: "nova",
    catalog: [{ type: "compute", name: "nova", url: `${urlOf(cloud, "nova")}/v2.1` }],
    databases: ["nova", "nova_api", "nova_cell0"],
    files: {
      "nova.conf": {
        DEFAULT: {
          my_ip: cloud.host,
          host: "lab",
          enabled_apis: "osapi_compute",
          osapi_compute_listen: cloud.host,
          osapi_compute_listen_port: cloud.cloudPorts.nova,
          osapi_compute_workers: 1,
          compute_driver: "fake.FakeDriver",
          transport_url: queueUrl(cloud),
          state_path: data,
          allow_resize_to_same_host: true,
        },
        api_database: { connection: databaseUrl(cloud, "nova_api") },
        database: { connection: databaseUrl(cloud, "nova") },
        api: { auth_strategy: "keystone" },
        wsgi: { api_paste_config: "/etc/nova/api-paste.ini" },
        conductor: { workers: 1 },
        scheduler: { workers: 1, discover_hosts_in_cells_interval: 5 },
        oslo_concurrency: { lock_path: `${data}/lock` },
        glance: { api_servers: urlOf(cloud, "glance") },
        neutron: logInAs(cloud, "neutron"),
        placement: logInAs(cloud, "placement"),
        service_user: { send_service_user_token: true, ...logInAs(cloud, "nova") },
        cinder: { catalog_info: "volumev3::publicURL" },
        upgrade_levels: { compute: "auto" },
        keystone_authtoken: checkTokens(cloud, "nova"),
      },
    },
    sync: [
      configured(cloud, "nova", "nova-manage", "api_db", "sync"),
      configured(cloud, "nova", "nova-manage", "cell_v2", "map_cell0", "--database_connection", cell0),
      configured(cloud, "nova", "nova-manage", "cell_v2", "create_cell", "--name", "cell1"),
      configured(cloud, "nova", "nova-manage", "db", "sync"),
    ],
    programs: {
      "nova-api": configured(cloud, "nova", "nova-api"),
      "nova-conductor": configured(cloud, "nova", "nova-conductor"),
      "nova-scheduler": configured(cloud, "nova", "nova-scheduler"),
      // The program of package nova-compute, whose libvirt and qemu nothing here needs.
      "nova-compute": {
        command: ["/usr/bin/python3", "-c", compute, "--config-file", confOf(cloud, "nova")],
      },
    },
    answers: ["nova-api", `${urlOf(cloud, "nova")}/`],
    // A server that is asked for before the scheduler has found the host ends in ERROR.
    isReady: { ...configured(cloud, "nova", "nova-manage", "cell_v2", "list_hosts"), says: " lab " },
  };
}
