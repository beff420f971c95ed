/** What a Heat resource is to Pulumi. A property has the same name in camel case, unless it is listed. */
export interface HeatType {
  /** The type's token. */
  readonly type: string;
  readonly renamed: Readonly<Record<string, string | { id: string; name: string }>>;
  /** What Pulumi's resource has and Heat's cannot be given: no rule may ask for it. */
  readonly lacks: string;
}

const openstack = (module: string, name: string, renamed: HeatType["renamed"] = {}, lacks = ""): HeatType => ({
  type: `openstack:${module}/${name[0]?.toLowerCase()}${name.slice(1)}:${name}`,
  renamed,
  lacks,
});

/**
 * Heat's types that rules can judge: https://docs.openstack.org/heat/latest/template_guide/openstack.html. A type without
 * a rule of its own is here, too, when nothing about it could be unsafe that the rules look for elsewhere.
 */
export const heatTypes: Readonly<Record<string, HeatType>> = {
  "OS::Swift::Container": openstack("objectstorage", "Container", {
    "X-Container-Read": "containerRead",
    "X-Container-Write": "containerWrite",
    "X-Container-Meta": "metadata",
    PurgeOnDelete: "forceDestroy",
  }),
  "OS::Barbican::Secret": openstack("keymanager", "SecretV1", {}, "metadata"),
  "OS::Barbican::Order": openstack("keymanager", "OrderV1"),
  "OS::Keystone::User": openstack("identity", "User"),
  "OS::Keystone::Endpoint": openstack("identity", "EndpointV3"),
  "OS::Nova::Server": openstack("compute", "Instance", {
    key_name: "keyPair",
    image: { id: "imageId", name: "imageName" },
    flavor: { id: "flavorId", name: "flavorName" },
  }),
  "OS::Nova::KeyPair": openstack("compute", "Keypair"),
  "OS::Nova::ServerGroup": openstack("compute", "ServerGroup"),
  "OS::Neutron::Net": openstack("networking", "Network"),
  "OS::Neutron::Subnet": openstack("networking", "Subnet", { network: "networkId" }),
  "OS::Neutron::Router": openstack("networking", "Router"),
  "OS::Neutron::RouterInterface": openstack("networking", "RouterInterface", {
    router: "routerId",
    subnet: "subnetId",
  }),
  "OS::Neutron::Port": openstack("networking", "Port", { network: "networkId", security_groups: "securityGroupIds" }),
  "OS::Neutron::FloatingIP": openstack("networking", "FloatingIp", { floating_network: "pool" }, "tags"),
  "OS::Neutron::FloatingIPAssociation": openstack("networking", "FloatingIpAssociate"),
  "OS::Neutron::SecurityGroup": openstack("networking", "SecGroup", {}, "tags"),
  "OS::Neutron::SecurityGroupRule": openstack("networking", "SecGroupRule", {
    security_group: "securityGroupId",
    remote_group: "remoteGroupId",
  }),
  "OS::Cinder::Volume": openstack("blockstorage", "Volume", { source_volid: "sourceVolId" }),
  "OS::Cinder::VolumeAttachment": openstack("compute", "VolumeAttach", { instance_uuid: "instanceId" }),
  "OS::Magnum::ClusterTemplate": openstack("containerinfra", "ClusterTemplate"),
  "OS::Magnum::Cluster": openstack("containerinfra", "Cluster", { cluster_template: "clusterTemplateId" }),
  "OS::Octavia::Listener": openstack("loadbalancer", "Listener", {
    loadbalancer: "loadbalancerId",
    default_tls_container_ref: "defaultTlsContainerRef",
  }),
  "OS::Octavia::Pool": openstack("loadbalancer", "Pool"),
  "OS::Octavia::HealthMonitor": openstack("loadbalancer", "Monitor", { pool: "poolId" }),
  "OS::Octavia::PoolMember": openstack("loadbalancer", "Member", { pool: "poolId" }),
  "OS::Octavia::LoadBalancer": openstack("loadbalancer", "LoadBalancer"),
};

/** Types that make nothing in the cloud. */
export const inert = new Set([
  "OS::Heat::None",
  "OS::Heat::RandomString",
  "OS::Heat::Value",
  "OS::Heat::WaitCondition",
  "OS::Heat::WaitConditionHandle",
]);
