import { rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, salesStack, testFolder } from "../processor-for-tests.ts";
import { isLoopback } from "./guard.ts";

const token = "0123456789abcdef0123456789abcdef";
let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;
beforeAll(async () => {
  folder = await testFolder("access");
});
afterEach(async () => {
  await processor?.stop();
  processor = undefined;
});
afterAll(() => rm(folder, { recursive: true }));

const start = async (options: { token?: string; api?: object } = {}) => {
  const { api, ...rest } = options;
  const config = { ...configOf(salesStack()), api: { host: "127.0.0.1", port: 0, ...api } };
  processor = await startProcessor(config, { dataFolder: folder, ...rest });
  return processor.url;
};
/** With headers that fetch would not let a page set. */
async function ask(url: string, path: string, headers: Record<string, string>, method = "GET") {
  const sent = request(`${url}${path}`, { headers, method });
  sent.end();
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number | undefined; body: string }>();
  sent.on("response", (response) =>
    text(response).then((body) => resolve({ status: response.statusCode, body }), reject),
  );
  sent.on("error", reject);
  return promise;
}

describe("without a token", () => {
  it.each(["0.0.0.0", "::", "192.168.1.5", "example.org"])("no processor listens on %s", async (host) => {
    await expect(start({ api: { host } })).rejects.toThrow(`The processor would listen on ${host} for everyone`);
  });

  it("another name for this machine, or another site's page, is refused", async () => {
    const url = await start();
    const { host, port } = new URL(url);
    const foreign = "urn:cais:problem:foreign-";
    for (const name of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "10.0.0.1", "[::2]"])
      expect(await ask(url, "/v1/runs", { host: name })).toMatchObject({
        status: 403,
        body: expect.stringContaining(`${foreign}host`),
      });
    for (const name of [host, `localhost:${port}`, "localhost", `[::1]:${port}`, "127.9.9.9"])
      expect((await ask(url, "/v1/runs", { host: name })).status).toBe(200);
    for (const origin of ["https://evil.example", "null", `http://127.0.0.1:1`, `http://localhost:${port}`])
      expect(await ask(url, "/v1/stacks/sales/files?name=a.csv", { host, origin }, "POST")).toMatchObject({
        status: 403,
        body: expect.stringContaining(`${foreign}origin`),
      });
    expect(
      (await ask(url, "/v1/stacks/sales/files?name=a.csv", { host, "sec-fetch-site": "cross-site" }, "POST")).status,
    ).toBe(403);
    expect((await ask(url, "/", { host: "evil.example" })).status).toBe(403);
    // The page itself, and a link to it.
    expect(
      (await ask(url, "/v1/stacks/sales/files", { host, origin: url, "sec-fetch-site": "same-origin" }, "POST")).status,
    ).toBe(400);
    expect((await ask(url, "/v1/runs", { host, "sec-fetch-site": "cross-site" })).status).toBe(200);
  });
});

describe("with a token", () => {
  it("every address below /v1 asks for it, however it is written, and the others do not", async () => {
    const url = await start({ token, api: { limits: { refusalsPerMinute: 1000 } } });
    const paths = [
      "/v1/runs",
      "/v1/stacks",
      "/v1/tables",
      "/v1/runs/x",
      "/v1/runs/x/rejected",
      "/v1/tables/sales/sold.csv",
      "/%76%31/runs",
      "//v1/runs",
    ];
    for (const path of paths)
      for (const authorization of ["", "Bearer ", `Bearer ${token}x`, `Basic ${token}`, token]) {
        const { status } = await ask(url, path, authorization === "" ? {} : { authorization });
        // A spelling that leads to no address is as good as refused.
        expect({ path, status }).toEqual({ path, status: path.startsWith("//") ? 404 : 401 });
      }
    expect((await ask(url, "/v1/stacks/sales/files?name=a.csv", {}, "POST")).status).toBe(401);
    for (const scheme of ["bearer", "BEARER", "Bearer "])
      expect((await ask(url, "/v1/runs", { authorization: `${scheme} ${token}` })).status).toBe(200);
    expect((await ask(url, "/v1/runs", {}, "DELETE")).status).toBe(401);
    expect((await ask(url, "/v1/runs", { authorization: `Bearer ${token}`, host: "cais.example" })).status).toBe(200);
    for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json"])
      expect((await ask(url, path, {})).status).toBe(200);
    const description = JSON.parse((await ask(url, "/openapi.json", {})).body);
    expect(description.paths["/v1/runs"].get.security).toEqual([{ token: [] }]);
  });

  it("the token may be in a file that the config names", async () => {
    await writeFile(join(folder, "token"), `${token}\n`, { mode: 0o600 });
    const url = await start({ api: { host: "0.0.0.0", token: { driver: "file", path: "token" } } });
    expect((await ask(url, "/v1/runs", { authorization: `Bearer ${token}` })).status).toBe(200);
  });

  it("a file that everyone can read, that is not there, or a short token is refused", async () => {
    await writeFile(join(folder, "open"), token, { mode: 0o644 });
    const from = (path: string) => start({ api: { token: { driver: "file", path } } });
    await expect(from("open")).rejects.toThrow(
      `The secret file ${folder}/open can be read by everyone; run chmod 600 on it.`,
    );
    await expect(from("missing")).rejects.toThrow(`The secret file ${folder}/missing cannot be read`);
    await expect(start({ token: "short" })).rejects.toThrow("The token has 5 characters, too few to be safe");
  });
});

it("says that the port is taken, and lets the data folder go", async () => {
  const first = await startProcessor(configOf(salesStack()), { dataFolder: join(folder, "first") });
  const port = Number(new URL(first.url).port);
  await expect(start({ api: { port } })).rejects.toThrow(`The processor cannot listen on 127.0.0.1, port ${port}`);
  await first.stop();
  await start();
});

it.each([
  ["127.0.0.1", true],
  ["127.200.3.4", true],
  ["localhost", true],
  ["LOCALHOST", true],
  ["[::1]", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["localhost.evil.example", false],
  ["128.0.0.1", false],
])("%s is loopback: %s", (host, expected) => expect(isLoopback(host)).toBe(expected));
