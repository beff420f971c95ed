import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, connect } from "node:net";
import { join, resolve } from "node:path";
import { createServer } from "node:tls";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pieces } from "../../../processor/src/object-store/conformance.ts";
import { openObjectStore, StoreUnreachable } from "../../../processor/src/object-store/index.ts";
import { newContainer } from "./containers.ts";
import { openLab, type OpenStack } from "./lab.ts";

let lab: OpenStack;
let folder: string;
let server: ReturnType<typeof createServer>;
beforeAll(async () => {
  lab = await openLab();
  await mkdir(resolve(".cais/tests"), { recursive: true });
  folder = await mkdtemp(resolve(".cais/tests/authority-"));
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  await promisify(execFile)("openssl", ["req", "-x509", ...key, ...name, "-keyout", "key.pem", "-out", "ca.pem"], {
    cwd: folder,
  });
  const [ownKey, cert] = await Promise.all([readFile(join(folder, "key.pem")), readFile(join(folder, "ca.pem"))]);
  // What ends TLS before Keystone, as a cloud has it.
  server = createServer({ key: ownKey, cert }, (socket) => {
    const behind = connect(lab.ports.keystone, lab.host);
    socket.pipe(behind).pipe(socket);
    for (const end of [socket, behind]) end.on("error", () => [socket, behind].map((other) => other.destroy()));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterAll(async () => {
  await new Promise((done) => server.close(done));
  await rm(folder, { recursive: true });
});

it("trusts a cloud's own authority if the binding names it, and says so if it does not", async () => {
  const binding = await newContainer(lab, folder);
  const authUrl = `https://localhost:${(server.address() as AddressInfo).port}/v3`;
  const error: unknown = await openObjectStore({ ...binding, authUrl }, folder).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StoreUnreachable);
  expect(String(error)).toMatch(/is not trusted \(\w+\); name its authority in the binding \(ca\)/);
  const store = await openObjectStore({ ...binding, authUrl, ca: "ca.pem" }, folder);
  await store.put("a", pieces("x"));
  expect(await store.head("a")).toMatchObject({ bytes: 1 });
});
