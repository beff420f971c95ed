import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { answers, startService, stopService } from "../services.ts";
import { ini } from "./ini.ts";
import type { Lab } from "./lab.ts";
import { proxyConf, serverConf, updaterConf, type SwiftSettings } from "./swift-conf.ts";

const run = promisify(execFile);
const python = "/usr/bin/python3";
const program = join(import.meta.dirname, "swift_server.py");
const servers = ["account", "container", "object"] as const;

/** The services that Swift is made of here: stop some of them to see what a client makes of it. */
export const swiftServices = [
  "swift-proxy",
  "swift-account",
  "swift-container",
  "swift-object",
  "swift-updater",
] as const;

const confOf = ({ folder }: Lab) => join(folder, "etc", "swift");

/** Makes Swift's disk and the rings that say where its servers are. */
export async function prepareSwift(lab: Lab): Promise<void> {
  const { folder, host, ports } = lab;
  await mkdir(join(folder, "data", "swift", "disk"), { recursive: true });
  await mkdir(confOf(lab), { recursive: true });
  await writeSwiftConf(lab, {});
  const rings = servers.map((name) => `${name}=${ports[name]}`);
  await run(python, [program, join(confOf(lab), "swift.conf"), "rings", host, ...rings], { timeout: 120_000 });
}

/** Starts Swift, or starts it anew with other settings; what it holds stays as it is. */
export async function startSwift(lab: Lab, settings: SwiftSettings = {}): Promise<void> {
  const { folder, host, ports } = lab;
  await stopSwift(lab);
  await writeSwiftConf(lab, settings);
  for (const name of servers) {
    await write(lab, `${name}.conf`, serverConf(lab, name));
    await serve(lab, name);
  }
  await write(lab, "updater.conf", updaterConf(lab));
  await write(lab, "proxy.conf", proxyConf(lab, settings));
  await serve(lab, "proxy", { PYTHONPATH: settings.pythonPath ?? "" });
  for (const name of [...servers, "proxy"] as const)
    await answers(folder, `swift-${name}`, `http://${host}:${ports[name]}/healthcheck`, (status) => status === 200);
  await serve(lab, "updater");
}

/** Stops Swift, at once with `SIGKILL`. */
export async function stopSwift({ folder }: Lab, signal?: "SIGTERM" | "SIGKILL"): Promise<void> {
  await Promise.all(swiftServices.map(async (name) => stopService(folder, name, signal)));
}

const serve = async (lab: Lab, kind: string, env: Record<string, string> = {}) =>
  startService(
    lab.folder,
    `swift-${kind}`,
    [python, program, join(confOf(lab), "swift.conf"), kind, join(confOf(lab), `${kind}.conf`)],
    env,
  );

const write = async (lab: Lab, name: string, text: string) => writeFile(join(confOf(lab), name), text, { mode: 0o600 });

async function writeSwiftConf(lab: Lab, { listingLimit = 10_000, maxFileSize }: SwiftSettings): Promise<void> {
  const { swiftPrefix, swiftSuffix } = lab.secrets;
  const conf = ini({
    "swift-hash": { swift_hash_path_prefix: swiftPrefix, swift_hash_path_suffix: swiftSuffix },
    "storage-policy:0": { name: "Policy-0", default: "yes" },
    "swift-constraints": { container_listing_limit: listingLimit, max_file_size: maxFileSize },
  });
  await write(lab, "swift.conf", conf);
}
