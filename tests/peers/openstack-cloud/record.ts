import { mkdir, readFile, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import type { Resource } from "./pulumi.ts";

/** What a run of the tests here deployed. `deployed.json` is a copy of one, and what `cais matrix` tells of OpenStack. */
export const Deployed = z.strictObject({
  date: z.iso.date(),
  versions: z.record(z.string(), z.string()),
  components: z.array(z.string()),
});
export type Deployed = z.output<typeof Deployed>;

const written = path.join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "openstack-deployed.json");

/** The components of which some resource of the cloud's was made, as the matrix names them. */
export function deployedOf(resources: readonly Resource[]): string[] {
  const nouns = resources.flatMap(({ urn, type }) => {
    if (!type.startsWith("openstack:")) return [];
    const [, chain = ""] = /^urn:pulumi:[^:]+::[^:]+::(.*)::[^:]*$/.exec(urn) ?? [];
    const component = chain.split("$").at(-2) ?? "";
    const name = component.slice(component.lastIndexOf(":") + 1);
    return name === "" ? [] : [name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()];
  });
  return [...new Set(nouns)].toSorted();
}

/** The versions of the services, as Debian has them. */
export async function serviceVersions(): Promise<Record<string, string>> {
  const names = ["keystone", "swift", "nova", "neutron", "cinder", "heat", "barbican", "octavia", "trove"];
  const command = ["-W", "-f", "${Package} ${Version}\n", ...names.map((name) => `python3-${name}`)];
  const { stdout } = await promisify(execFile)("dpkg-query", command);
  const versions = [...stdout.matchAll(/^python3-(\w+) (?:\d+:)?([\d.]+)/gm)];
  return Object.fromEntries(versions.map(([, name = "", version = ""]) => [name, version]));
}

/** The record that is kept with the project. */
export async function readRecord(): Promise<Deployed> {
  return Deployed.parse(JSON.parse(await readFile(path.join(import.meta.dirname, "deployed.json"), "utf8")));
}

/** Notes a run below .cais: whoever looks after the record copies it. */
export async function writeRecord(record: Deployed): Promise<void> {
  await mkdir(path.dirname(written), { recursive: true });
  await writeFile(written, `${JSON.stringify(record, undefined, 2)}\n`);
}
