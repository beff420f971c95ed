import { createServer, type Server } from "node:http";

/** What Nova's metadata service tells one machine: https://docs.openstack.org/nova/latest/user/metadata.html */
export interface Told {
  /** Another one is another machine to cloud-init. */
  instanceId: string;
  userData: string;
}

/** A stand-in for the metadata service, on loopback. */
export async function startMetadata(told: () => Told): Promise<{ port: number; server: Server }> {
  const version = "2018-08-27";
  const network = {
    links: [{ id: "eth0", type: "phy", ethernet_mac_address: "52:54:00:12:34:56", mtu: 1500 }],
    networks: [{ id: "network0", type: "ipv4_dhcp", link: "eth0", network_id: "net" }],
    services: [],
  };
  const server = createServer((request, response) => {
    const { instanceId, userData } = told();
    const files: Record<string, string> = {
      "/openstack": `${version}\nlatest`,
      [`/openstack/${version}/meta_data.json`]: JSON.stringify({
        uuid: instanceId,
        name: "m",
        hostname: "m.novalocal",
      }),
      [`/openstack/${version}/network_data.json`]: JSON.stringify(network),
      [`/openstack/${version}/user_data`]: userData,
      // The same in Amazon's way, which cloud-init looks for, too.
      "/latest/meta-data": "instance-id",
      "/latest/meta-data/instance-id": "i-00000001",
    };
    const body = files[(request.url ?? "").replace(/\/$/, "")];
    // One request for each connection: QEMU starts a program for each, which ends with it.
    response.writeHead(body === undefined ? 404 : 200, { Connection: "close" }).end(body ?? "");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the metadata service has no port");
  return { port: address.port, server };
}
