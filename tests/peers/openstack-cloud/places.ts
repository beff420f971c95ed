import type { Asker } from "./ask.ts";
import type { Resource } from "./pulumi.ts";

type Place = (
  id: string,
  userId: string,
  inputs: Readonly<Record<string, unknown>>,
) => readonly [service: string, path: string];

/** Where each kind of resource is found: the service of the catalog, and the path below its address. */
const places: Readonly<Record<string, Place>> = {
  "objectstorage/container:Container": (id) => ["object-store", `/${id}`],
  "objectstorage/containerObject:ContainerObject": (id) => ["object-store", `/${id}`],
  "identity/applicationCredential:ApplicationCredential": (id, user) => [
    "identity",
    `/users/${user}/application_credentials/${id}`,
  ],
  "keymanager/secretV1:SecretV1": (id) => ["key-manager", `/v1/secrets/${id}`],
  "blockstorage/volume:Volume": (id) => ["volumev3", `/volumes/${id}`],
  "networking/network:Network": (id) => ["network", `/v2.0/networks/${id}`],
  "networking/subnet:Subnet": (id) => ["network", `/v2.0/subnets/${id}`],
  "networking/secGroup:SecGroup": (id) => ["network", `/v2.0/security-groups/${id}`],
  "networking/secGroupRule:SecGroupRule": (id) => ["network", `/v2.0/security-group-rules/${id}`],
  "networking/router:Router": (id) => ["network", `/v2.0/routers/${id}`],
  // An interface is a port of the router.
  "networking/routerInterface:RouterInterface": (id) => ["network", `/v2.0/ports/${id}`],
  "networking/port:Port": (id) => ["network", `/v2.0/ports/${id}`],
  "networking/floatingIp:FloatingIp": (id) => ["network", `/v2.0/floatingips/${id}`],
  "loadbalancer/loadBalancer:LoadBalancer": (id) => ["load-balancer", `/v2/lbaas/loadbalancers/${id}`],
  "loadbalancer/listener:Listener": (id) => ["load-balancer", `/v2/lbaas/listeners/${id}`],
  "loadbalancer/pool:Pool": (id) => ["load-balancer", `/v2/lbaas/pools/${id}`],
  "loadbalancer/member:Member": (id, _user, { poolId }) => [
    "load-balancer",
    `/v2/lbaas/pools/${String(poolId)}/members/${id}`,
  ],
  "loadbalancer/monitor:Monitor": (id) => ["load-balancer", `/v2/lbaas/healthmonitors/${id}`],
  "database/instance:Instance": (id) => ["database", `/instances/${id}`],
  "compute/instance:Instance": (id) => ["compute", `/servers/${id}`],
  "orchestration/stackV1:StackV1": (id) => ["orchestration", `/stacks/${id}`],
};

const provider = "openstack:";

/** Whether its service has each resource of the cloud's that Pulumi's state has, by kind and name. */
export async function presence(
  demo: Asker,
  userId: string,
  resources: readonly Resource[],
): Promise<Record<string, boolean>> {
  const found: Record<string, boolean> = {};
  for (const { urn, type, id, inputs } of resources) {
    if (!type.startsWith(provider)) continue;
    const kind = type.slice(provider.length);
    const placeOf = places[kind];
    if (!placeOf || id === undefined) throw new Error(`It is not known where a ${kind} is found.`);
    const status = await demo.status(...placeOf(id, userId, inputs));
    if (status >= 500) throw new Error(`The service of ${urn} answered ${status}.`);
    found[`${kind} ${urn.slice(urn.lastIndexOf("::") + 2)}`] = status < 300;
  }
  return found;
}
