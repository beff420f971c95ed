import { beforeAll, expect, it } from "vitest";
import { publicKey } from "../openstack-cloud/public-key.ts";
import { until } from "./make.ts";
import { deploy, openPlace, type Place, type Resource } from "./program.ts";

let place: Place;
let resources: Resource[];
const idOf = (kind: string) => resources.find((one) => one.kind.endsWith(`:${kind}`))?.made.id ?? `no ${kind}`;

beforeAll(async () => {
  place = await openPlace();
  resources = await deploy(place, {
    kind: "kubernetes",
    machine: "m1.large",
    image: place.project.image,
    version: "v1.35.4",
    nodes: 2,
    nodeGB: 30,
    nodeDiskType: "luks",
    publicKey: publicKey(),
  });
}, 900_000);

it("has Magnum take a template and a call for a cluster, as the program asks for them", async () => {
  const { demo, project } = place;
  const asked = {
    flavor_id: "m1.large",
    master_flavor_id: "m1.large",
    fixed_network: idOf("Network"),
    fixed_subnet: idOf("Subnet"),
    docker_volume_size: 30,
    floating_ip_enabled: false,
    master_lb_enabled: false,
    labels: {
      kube_tag: "v1.35.4",
      master_lb_floating_ip_enabled: "false",
      etcd_volume_size: "10",
      etcd_volume_type: "luks",
      docker_volume_type: "luks",
    },
  };
  expect(await demo.ask("container-infra", "GET", `/clustertemplates/${idOf("ClusterTemplate")}`)).toMatchObject({
    ...asked,
    coe: "kubernetes",
    image_id: project.image,
    keypair_id: idOf("Keypair"),
    external_network_id: project.external,
    network_driver: "calico",
    volume_driver: "cinder",
    docker_storage_driver: "overlay2",
    tls_disabled: false,
    public: false,
  });
  expect(await demo.ask("container-infra", "GET", `/clusters/${idOf("Cluster")}`)).toMatchObject({
    ...asked,
    keypair: idOf("Keypair"),
    cluster_template_id: idOf("ClusterTemplate"),
    master_count: 1,
    node_count: 2,
  });
});

// Machines are ACTIVE in name only here, so no cluster is ever built: Magnum is told of no place where etcd could be found.
it("fails where the machines would have to find each other, and not before", async () => {
  await expect(
    until(place.demo, "container-infra", `/clusters/${idOf("Cluster")}`, ["status"], "CREATE_COMPLETE"),
  ).rejects.toThrow("Failed to get discovery url");
}, 600_000);
