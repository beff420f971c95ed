import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** A request as the stand-in got it. */
export interface Got {
  method: string;
  /** Behind the account: the container, or the container and the name of an object. */
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  body: Buffer;
}

/** What a test does in place of the answer, or undefined for the usual one. */
export type Meddle = (got: Got, answer: ServerResponse) => number | "taken" | undefined;

interface Stored {
  body: Buffer;
  headers: Record<string, string>;
  timestamp: string;
  manifest?: { name: string }[];
}

/**
 * A stand-in for Keystone and Swift with one container `c`, for what the real ones do not do on demand. What they do otherwise is
 * tested against them in tests/peers/openstack.
 */
export async function startCloud() {
  const got: Got[] = [];
  const objects = new Map<string, Stored>();
  let clock = 0;
  const cloud = {
    got,
    objects,
    /** Seconds that the next tokens are valid. */
    tokenSeconds: 3600,
    tokens: 0,
    refuseLogin: false,
    catalog: undefined as object[] | undefined,
    /** What the container's answers say of it. */
    container: {} as Record<string, string>,
    meddle: (() => undefined) as Meddle,
    /** The status with which a login is refused, or undefined. */
    meddleLogin: (): number | undefined => undefined,
    url: "",
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
    requests: (method: string) => got.filter((one) => one.method === method).map(({ path }) => path),
  };

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "", cloud.url);
    if (url.pathname === "/v3/auth/tokens") return logIn(request, response);
    const path = decodeURIComponent(url.pathname.replace(/^\/v1\/AUTH_p\//, ""));
    const body = await buffer(request).catch(() => Buffer.alloc(0));
    const one = { method: request.method ?? "", path, query: url.searchParams, headers: request.headers, body };
    got.push(one);
    const status = cloud.meddle(one, response);
    if (status === "taken") return;
    if (status !== undefined) return void response.writeHead(status).end("<html>refused</html>");
    usual(one, response);
  });

  async function logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await buffer(request);
    const refused = cloud.meddleLogin();
    if (refused !== undefined) return void response.writeHead(refused).end("{}");
    if (cloud.refuseLogin) return void response.writeHead(401).end("{}");
    const expires = new Date(Date.now() + cloud.tokenSeconds * 1000).toISOString();
    const endpoints = [{ interface: "public", region: "one", url: `${cloud.url}/v1/AUTH_p` }];
    const catalog = cloud.catalog ?? [{ type: "object-store", endpoints }];
    response.writeHead(201, { "x-subject-token": `token-${++cloud.tokens}` });
    response.end(JSON.stringify({ token: { expires_at: expires, catalog } }));
  }

  function usual({ method, path, query, headers, body }: Got, response: ServerResponse): void {
    if (path === "c") return void response.writeHead(200, cloud.container).end(JSON.stringify(listing(query)));
    const found = objects.get(path);
    if (method === "PUT") {
      if (headers["if-none-match"] === "*" && found !== undefined) return void response.writeHead(412).end();
      const isManifest = query.get("multipart-manifest") === "put";
      if (headers.etag !== undefined && headers.etag !== etagOf(body)) return void response.writeHead(422).end();
      store(path, body, headers, isManifest);
      const status = isManifest ? 202 : 201;
      return void response
        .writeHead(status, { etag: etagOf(body) })
        .end(isManifest ? '  {"Response Status": "201 Created", "Errors": []}' : "");
    }
    if (found === undefined) return void response.writeHead(404).end();
    if (method === "DELETE") objects.delete(path);
    if (method === "GET" && query.get("multipart-manifest") === "get")
      return void response.writeHead(200).end(JSON.stringify(found.manifest));
    const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
    const piece =
      start === undefined ? found.body : found.body.subarray(Number(start), end ? Number(end) + 1 : undefined);
    response.writeHead(method === "DELETE" ? 204 : start === undefined ? 200 : 206, {
      ...found.headers,
      "x-timestamp": found.timestamp,
      etag: etagOf(found.body),
      ...(method !== "DELETE" && { "content-length": piece.length }),
    });
    response.end(method === "GET" ? piece : undefined);
  }

  function store(path: string, body: Buffer, headers: Got["headers"], isManifest: boolean): void {
    const kept = Object.entries(headers).filter(([name]) => name.startsWith("x-object-meta-"));
    const large = isManifest ? { "x-static-large-object": "True" } : {};
    const timestamp = `17953145${String(++clock).padStart(2, "0")}.24378`;
    objects.set(path, {
      body: isManifest ? joined(body) : body,
      headers: { ...Object.fromEntries(kept.map(([k, v]) => [k, String(v)])), ...large },
      timestamp,
      ...(isManifest && { manifest: partsOf(body).map((name) => ({ name })) }),
    });
  }

  const joined = (manifest: Buffer): Buffer =>
    Buffer.concat(partsOf(manifest).map((path) => objects.get(path.slice(1))?.body ?? Buffer.alloc(0)));

  const listing = (query: URLSearchParams) =>
    [...objects]
      .map(([path, { body, headers, timestamp }]) => ({
        name: path.slice(2),
        bytes: body.length,
        timestamp,
        isManifest: headers["x-static-large-object"] !== undefined,
      }))
      .filter(({ name }) => name.startsWith(query.get("prefix") ?? "") && name > (query.get("marker") ?? ""))
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .slice(0, 3)
      .map(({ name, bytes, timestamp, isManifest }) => ({
        name,
        bytes,
        ...(isManifest && { slo_etag: '"e"' }),
        last_modified: `${new Date(Number(timestamp.split(".")[0]) * 1000).toISOString().slice(0, 19)}.243780`,
      }));

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cloud.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return cloud;
}

export type Cloud = Awaited<ReturnType<typeof startCloud>>;

const partsOf = (manifest: Buffer): string[] =>
  (JSON.parse(manifest.toString()) as { path: string }[]).map(({ path }) => path);

const etagOf = (body: Buffer) => createHash("md5").update(body).digest("hex");
