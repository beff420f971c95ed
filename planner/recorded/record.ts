import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { Preview } from "../fidelity.ts";
import { cliVersion, initStack, previewJson, previewPolicies } from "./cli.ts";
import { startStandIn } from "./stand-in.ts";

// Previews program/ and pack/ with the Pulumi CLI on PATH and writes what it says beside this file:
//
//   npm exec -c 'node planner/recorded/record.ts'
//
// The CLI downloads the openstack plugin when it has none. No cloud is asked: a stand-in answers what a preview asks.
const here = import.meta.dirname;
const cli = cliVersion();
if (cli === undefined) throw new Error("There is no pulumi on PATH; install Pulumi's CLI first.");

const folder = path.join(here, "..", "..", ".cais");
await mkdir(folder, { recursive: true });
const temporary = await mkdtemp(path.join(folder, "recording-"));
const standIn = await startStandIn();
try {
  const copy = { project: path.join(temporary, "program"), state: path.join(temporary, "state") };
  await mkdir(copy.state);
  await cp(path.join(here, "program"), copy.project, { recursive: true });
  await initStack(copy, "recorded");
  const preview = await previewJson(copy, "recorded");
  // A recording that no test could read is none.
  Preview.parse(preview);
  const policies = await previewPolicies(copy, "recorded", path.join(here, "pack"));

  const { dependencies } = packageJson;
  const stamp = {
    cli,
    sdk: dependencies["@pulumi/pulumi"],
    policy: dependencies["@pulumi/policy"],
    openstack: dependencies["@pulumi/openstack"],
  };
  // Where files were and how long it took differs from machine to machine.
  const left = new Set(["sourcePosition", "stackTrace", "diagnostics", "duration"]);
  const withoutPlaces = (key: string, value: unknown) => (left.has(key) ? undefined : value);
  const write = (name: string, text: string) => writeFile(path.join(here, name), text);
  await write("stamp.json", `${JSON.stringify(stamp, undefined, 2)}\n`);
  await write("preview.json", `${JSON.stringify(preview, withoutPlaces, 2)}\n`);
  await write("policies.txt", policies);
  execFileSync("oxfmt", ["stamp.json", "preview.json"], { cwd: here });
} finally {
  standIn.closeAllConnections();
  standIn.close();
  await rm(temporary, { recursive: true, force: true });
}
