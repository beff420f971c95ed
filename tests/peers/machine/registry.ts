import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePorts, startService, until } from "../services.ts";
import type { Authority } from "./authority.ts";

const run = promisify(execFile);

/** Of the registry. */
export const username = "robot";

export interface Registry {
  port: number;
  password: string;
  /** `<repository>@sha256:…` of the only image. */
  image: string;
}

/** A real registry that asks for a login, with TLS of a private authority; in it an image whose one program is a shell script. */
export async function startRegistry(
  folder: string,
  { ca, keyFile, certFile }: Authority,
  script: string,
): Promise<Registry> {
  const { registry: port } = await freePorts(["registry"]);
  const password = randomBytes(18).toString("base64url");
  // Go's bcrypt: what htpasswd -B writes.
  const salt = randomBytes(24).toString("base64").replaceAll("+", ".").replaceAll("=", "").slice(0, 22);
  const { stdout: hash } = await run("perl", ["-e", "print crypt($ARGV[0], $ARGV[1])", password, `$2b$05$${salt}`]);
  await writeFile(join(folder, "htpasswd"), `${username}:${hash}\n`);
  const config = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: join(folder, "registry") } },
    http: { addr: `127.0.0.1:${port}`, tls: { certificate: certFile, key: keyFile } },
    auth: { htpasswd: { realm: "test", path: join(folder, "htpasswd") } },
  };
  // JSON is YAML.
  await writeFile(join(folder, "registry.yaml"), JSON.stringify(config));
  await startService(folder, "registry", ["docker-registry", "serve", join(folder, "registry.yaml")]);
  const call = caller(port, ca, password);
  await until(folder, "registry", "/v2/", async () => (await call("GET", "/v2/")).status === 200);
  return { port, password, image: await push(call, await layerOf(folder, script)) };
}

type Call = (
  method: string,
  path: string,
  body?: Buffer,
  type?: string,
) => Promise<{ status: number; location: string }>;

const caller =
  (port: number, ca: string, password: string): Call =>
  async (method, path, body, type = "application/octet-stream") =>
    new Promise((done, failed) => {
      const headers = { "Content-Type": type, "Content-Length": body?.length ?? 0 };
      const options = { host: "127.0.0.1", port, path, method, ca, auth: `${username}:${password}`, headers };
      request(options, (response) => {
        response.resume();
        const { pathname, search } = new URL(response.headers.location ?? "/", `https://127.0.0.1:${port}`);
        response.on("end", () => done({ status: response.statusCode ?? 0, location: pathname + search }));
      })
        .on("error", failed)
        .end(body);
    });

/** A tar with busybox under the names that it answers to here, bash, and `/bin/processor`. */
async function layerOf(folder: string, script: string): Promise<Buffer> {
  const root = join(folder, "image");
  await mkdir(join(root, "bin"), { recursive: true });
  await copyFile("/bin/busybox", join(root, "bin", "busybox"));
  for (const name of ["sh", "cat", "cp", "date", "grep", "ls", "rm", "sleep", "timeout", "touch"])
    await run("ln", ["-f", join(root, "bin", "busybox"), join(root, "bin", name)]);
  // Debian's busybox crashes when it looks up an address without libraries; bash connects.
  const withLibraries = "cp --parents --dereference /bin/bash $(ldd /bin/bash | grep --only-matching '/[^ ]*') \"$1\"";
  await run("bash", ["-ec", withLibraries, "bash", root]);
  await writeFile(join(root, "bin", "processor"), `#!/bin/sh\n${script}\n`);
  await chmod(join(root, "bin", "processor"), 0o755);
  const tar = join(folder, "layer.tar");
  await run("tar", ["--create", "--file", tar, "--owner=0", "--group=0", "--directory", root, "."]);
  return readFile(tar);
}

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push */
async function push(call: Call, layer: Buffer): Promise<string> {
  const repository = "cais/processor";
  const blob = async (content: Buffer) => {
    const { location } = await call("POST", `/v2/${repository}/blobs/uploads/`);
    const target = `${location}${location.includes("?") ? "&" : "?"}digest=${digestOf(content)}`;
    expectCreated(await call("PUT", target, content), "a blob");
    return { size: content.length, digest: digestOf(content) };
  };
  const prefix = "application/vnd.docker";
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Entrypoint: ["/bin/processor"], Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
    }),
  );
  const type = `${prefix}.distribution.manifest.v2+json`;
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      config: { mediaType: `${prefix}.container.image.v1+json`, ...(await blob(config)) },
      layers: [{ mediaType: `${prefix}.image.rootfs.diff.tar`, ...(await blob(layer)) }],
    }),
  );
  const digest = digestOf(manifest);
  expectCreated(await call("PUT", `/v2/${repository}/manifests/${digest}`, manifest, type), "a manifest");
  return `${repository}@${digest}`;
}

const digestOf = (content: Buffer) => `sha256:${createHash("sha256").update(content).digest("hex")}`;

function expectCreated({ status }: { status: number }, what: string): void {
  if (status !== 201) throw new Error(`The registry answered ${status} to ${what}`);
}
