import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";

/** A unit that does nothing. */
export const unit = "[Service]\nExecStart=/bin/true\n";

/** The secret that every workload of `put` has. */
export const secretId = "1df27cf1-f179-48fa-aed7-b39c4a5702cd";

/** As much of Keystone, Swift and Barbican as the script speaks to. Its catalogue leads back to itself. */
export class Cloud {
  readonly #uid: number;
  readonly #server: Server;
  readonly #scheme: string;
  objects = new Map<string, string>();
  secrets = new Map([[secretId, '{"id":"a","secret":"b"}']]);
  requests: string[] = [];
  /** Path that is answered with a redirect. */
  redirected: string | undefined;
  url = "";

  /** `uid` is its workloads'. With `tls`, key and certificate in PEM, it speaks HTTPS. */
  constructor(uid: number, tls?: { key: string; cert: string }) {
    this.#uid = uid;
    const answer: RequestListener = (request, response) => {
      void this.#answer(request).then(({ status = 200, headers = {}, body = "" }) =>
        response.writeHead(status, headers).end(body),
      );
    };
    this.#server = tls ? createTlsServer(tls, answer) : createServer(answer);
    this.#scheme = tls ? "https" : "http";
  }

  /** It listens on loopback; `host` is how who asks calls that. */
  async start(host = "127.0.0.1") {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    this.url = `${this.#scheme}://${host}:${typeof address === "object" ? address?.port : 0}`;
  }

  stop = () => new Promise((resolve) => this.#server.close(resolve));

  async #answer(
    request: IncomingMessage,
  ): Promise<{ status?: number; headers?: Record<string, string>; body?: string }> {
    const { pathname, searchParams } = new URL(request.url ?? "", this.url);
    this.requests.push(`${request.method} ${pathname}`);
    if (pathname === this.redirected) return { status: 302, headers: { location: `${this.url}/elsewhere` } };
    if (pathname === "/v3/auth/tokens") {
      const { auth } = JSON.parse(Buffer.concat(await request.toArray()).toString());
      if (auth.identity.application_credential.secret !== "right") return { status: 401 };
      const at = (type: string, url: string) => ({
        type,
        endpoints: [
          { interface: "internal", region_id: "here", url: "http://127.0.0.1:9" },
          { interface: "public", region_id: "there", url: "http://127.0.0.1:9" },
          { interface: "public", region_id: "here", url: this.url + url },
        ],
      });
      const catalog = [at("object-store", "/v1/AUTH_p"), at("key-manager", "")];
      return { status: 201, headers: { "x-subject-token": "token" }, body: JSON.stringify({ token: { catalog } }) };
    }
    if (request.headers["x-auth-token"] !== "token") return { status: 401 };
    if (pathname === "/v1/AUTH_p/workloads") {
      const after = [...this.objects.keys()].toSorted().filter((name) => name > (searchParams.get("marker") ?? ""));
      return { body: JSON.stringify(after.slice(0, 2).map((name) => ({ name }))) };
    }
    const object = this.objects.get(pathname.replace("/v1/AUTH_p/workloads/", ""));
    const secret = this.secrets.get(/^\/v1\/secrets\/([^/]+)\/payload$/.exec(pathname)?.[1] ?? "");
    return object === undefined && secret === undefined ? { status: 404 } : { body: object ?? secret ?? "" };
  }

  put(name: string, change: Record<string, unknown> = {}, text = unit) {
    const unitSha256 = createHash("sha256").update(text).digest("hex");
    const secrets = [{ file: "store-credential.json", reference: `https://other.test/v1/secrets/${secretId}` }];
    this.objects.set(`${name}.service`, text);
    this.objects.set(
      `${name}.json`,
      JSON.stringify({ version: 1, unitSha256, uid: this.#uid, config: { n: "é" }, secrets, ...change }),
    );
  }
}
