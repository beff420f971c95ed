import { describe, expect, it } from "vitest";
import { unit } from "./unit.ts";

const image = `registry.test/cais@sha256:${"0".repeat(64)}`;
const container = { name: "processor", image, uid: 10_001, memoryBytes: 2e9, cpus: 1.5 };

/** The command of a key as its words, with continued lines joined. */
const command = (text: string, key: string) =>
  new RegExp(`^${key}=(.*)$`, "m").exec(text.replaceAll("\\\n", ""))?.[1]?.trim().split(/\s+/);

describe("unit", () => {
  it("runs one hardened container and passes it no arguments", () => {
    expect(command(unit(container), "ExecStart")?.join(" ")).toBe(
      [
        "/usr/bin/docker run --name cais-processor --rm --pull never --user 10001:10001 --read-only --cap-drop ALL",
        "--security-opt no-new-privileges --pids-limit 512 --memory 2000000000b --memory-swap 2000000000b --cpus 1.5",
        "--tmpfs /tmp:rw,noexec,nosuid,nodev,size=64m",
        "--mount type=bind,src=/var/lib/cais/processor,dst=/data",
        "--mount type=bind,src=/etc/cais/workloads/processor/config.json,dst=/etc/cais/config.json,readonly",
        "--mount type=bind,src=/run/cais/secrets/processor,dst=/run/cais/secrets,readonly",
        "--volume /run/cais/machine:/run/cais/machine:ro",
        "--env CAIS_CONFIG=/etc/cais/config.json --env CAIS_DATA=/data --env CAIS_SYNC=/run/cais/machine/sync.json",
        image,
      ].join(" "),
    );
  });

  it("opens a port only when it is told to", () => {
    expect(unit(container)).not.toContain("--publish");
    expect(command(unit({ ...container, publish: 8080 }), "ExecStart")).toContain("--publish");
  });

  it("brings certificates of private authorities, and a login for who fetches the image, only where there are some", () => {
    expect(unit(container)).not.toMatch(/ca\.pem|NODE_EXTRA_CA_CERTS|DOCKER_CONFIG/);
    const text = unit({ ...container, hasAuthorities: true, hasLogin: true });
    expect(command(text, "ExecStart")).toContain(
      "type=bind,src=/etc/cais/workloads/processor/ca.pem,dst=/etc/cais/ca.pem,readonly",
    );
    // All of its TLS trusts them: https://nodejs.org/api/cli.html#node_extra_ca_certsfile
    expect(command(text, "ExecStart")).toContain("NODE_EXTRA_CA_CERTS=/etc/cais/ca.pem");
    // Where the container finds its secrets there is no login: it is Docker's, on the machine.
    expect(command(text, "Environment")).toEqual(["DOCKER_CONFIG=/run/cais/registry/processor"]);
  });

  it("says on the console what the processor says, since nobody logs in", () => {
    expect(command(unit(container), "StandardOutput")).toEqual(["journal+console"]);
  });

  it("gives a run time to stop before systemd ends it", () => {
    const text = unit(container);
    expect(command(text, "ExecStop")?.join(" ")).toBe("/usr/bin/docker stop -t 60 cais-processor");
    expect(command(text, "TimeoutStopSec")).toEqual(["75"]);
    expect(command(text, "Restart")).toEqual(["always"]);
  });
});
