import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

const authUrl = "http://127.0.0.1:18353/v3";
const networks = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];

/**
 * As much of Keystone, Glance and Neutron as the preview of `program/` asks for: whoever asks gets a token, there is one
 * image, and there are two networks. Listens where the config of `program/` says that Keystone is.
 */
export function startStandIn(): Promise<Server> {
  const { origin, hostname, port } = new URL(authUrl);
  const server = createServer((request, response) => answer(request, response, origin));
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(port), hostname, () => resolve(server));
  });
}

/** The image, as the provider answers `getImage`: the offline plan is given the same. */
export const image = {
  id: "33333333-3333-4333-8333-333333333333",
  name: "debian",
  checksum: "d41d8cd98f00b204e9800998ecf8427e",
  minDiskGb: 3,
};

function answer({ method, url = "" }: IncomingMessage, response: ServerResponse, origin: string): void {
  const json = (status: number, body: unknown, headers: Record<string, string> = {}) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
  const { pathname } = new URL(url, origin);
  const network = networks.find((id) => pathname === `/network/v2.0/networks/${id}`);
  if (method === "POST" && pathname === "/v3/auth/tokens")
    json(201, { token: token(origin) }, { "x-subject-token": "a-token" });
  else if (pathname === "/image/v2/images") json(200, { images: [found()] });
  else if (network) json(200, { network: networkOf(network) });
  else if (pathname === "/network/v2.0/extensions") json(200, { extensions: [] });
  else json(404, { error: `the stand-in has no ${method} ${pathname}` });
}

function token(origin: string) {
  const service = (type: string, url: string) => ({
    type,
    name: type,
    id: type,
    endpoints: ["RegionOne", "north", "south"].map((region) => ({
      id: `${type}-${region}`,
      interface: "public",
      region,
      region_id: region,
      url: `${origin}/${url}`,
    })),
  });
  return {
    methods: ["password"],
    expires_at: "2999-01-01T00:00:00.000000Z",
    issued_at: "2020-01-01T00:00:00.000000Z",
    user: { id: "recorder", name: "recorder", domain: { id: "default", name: "Default" } },
    project: { id: "recorded", name: "recorded", domain: { id: "default", name: "Default" } },
    roles: [{ id: "member", name: "member" }],
    catalog: [service("identity", "v3"), service("image", "image"), service("network", "network")],
  };
}

const found = () => ({
  id: image.id,
  name: image.name,
  checksum: image.checksum,
  min_disk: image.minDiskGb,
  min_ram: 0,
  status: "active",
  visibility: "public",
  owner: "recorded",
  size: 1,
  tags: [],
  created_at: "2020-01-01T00:00:00Z",
  updated_at: "2020-01-01T00:00:00Z",
  container_format: "bare",
  disk_format: "qcow2",
});

const networkOf = (id: string) => ({
  id,
  name: id === networks[1] ? "imported" : "public",
  admin_state_up: true,
  shared: false,
  "router:external": false,
  status: "ACTIVE",
  tenant_id: "recorded",
  project_id: "recorded",
  subnets: [],
  tags: id === networks[1] ? ["by-a-transformation"] : [],
  availability_zone_hints: [],
});
