import { spawnSync } from "node:child_process";
import packageJson from "../../../package.json" with { type: "json" };
import { cliVersion } from "../../../planner/recorded/cli.ts";
import { type Peer, Unavailable } from "../peer.ts";

const plugin = ["openstack", packageJson.dependencies["@pulumi/openstack"]] as const;

/** Pulumi's own CLI: the referee of offline plans. */
export const peer: Peer = {
  installs: `uses the pulumi on PATH; installs the plugin ${plugin.join(" ")} unless it is there (about 70 MB)`,
  async prepare() {
    if (cliVersion() === undefined)
      throw new Unavailable("there is no pulumi on PATH; https://www.pulumi.com/docs/install/ says how to install it");
    // A plugin on PATH is taken whatever its version.
    if (spawnSync("pulumi-resource-openstack", ["--version"]).status === 0) return {};
    const { status, stderr } = spawnSync("pulumi", ["plugin", "install", "resource", ...plugin], { encoding: "utf8" });
    if (status !== 0) throw new Unavailable(`the plugin ${plugin.join(" ")} could not be installed: ${stderr.trim()}`);
    return {};
  },
};
