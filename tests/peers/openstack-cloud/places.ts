import type { Asker } from "./ask.ts";
import type { Resource } from "./pulumi.ts";

/** Where each kind of resource is found: the service of the catalog, and the path below its address. */
const places: Readonly<Record<string, (id: string, userId: string) => readonly [service: string, path: string]>> = {
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
  for (const { urn, type, id } of resources) {
    if (!type.startsWith(provider)) continue;
    const kind = type.slice(provider.length);
    const placeOf = places[kind];
    if (!placeOf || id === undefined) throw new Error(`It is not known where a ${kind} is found.`);
    const status = await demo.status(...placeOf(id, userId));
    if (status >= 500) throw new Error(`The service of ${urn} answered ${status}.`);
    found[`${kind} ${urn.slice(urn.lastIndexOf("::") + 2)}`] = status < 300;
  }
  return found;
}
