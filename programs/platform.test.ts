import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { config, record } from "../components/conformance.ts";
import { platform } from "./platform.ts";
import { readSettings } from "./settings.ts";

const cluster = { kind: "vm", machine: "m1.large", image: "id" };

/** An environment without a pipeline stack of its own, `isolated` of which there are somewhere else. */
function shared(target: "local" | "openstack", isolated: number) {
  const settings = {
    ...config,
    "cais:target": target,
    "cais:environment": "prod",
    "cais:owner": "data-platform",
    "cais:platform": JSON.stringify({ cluster }),
  };
  const read = readSettings(settings, { pulumiStack: "prod", target, stacks: [] });
  return record(() => platform(read, [], () => pulumi.output(""), isolated), settings);
}

it("has no processor where every pipeline stack is isolated, but what they run on", async () => {
  const { result, created } = await shared("openstack", 1);
  expect(result.processor).toBeUndefined();
  expect(created.map(({ name }) => name)).toContain("platform-workloads");
});

it("is refused where no pipeline stack asks for it", async () => {
  await expect(shared("openstack", 0)).rejects.toThrow(
    "processor: no stack asks for the environment prod, so there is nothing to serve; add it to `environments` in a stacks/<name>/stack.yaml.",
  );
});

it("is refused a cluster on a target that has none", async () => {
  await expect(shared("local", 0)).rejects.toThrow(
    "cais:platform.cluster has no effect on local: the processor is a process on this machine; remove it with: pulumi config rm --path 'cais:platform.cluster'",
  );
});
