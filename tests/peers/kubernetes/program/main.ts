import { readFileSync } from "node:fs";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import * as pulumi from "@pulumi/pulumi";
import { runnerOn } from "../../../../components/processor/runner.ts";

/** A processor without the stores of a cloud, on the Kubernetes that the config names. */
class Processor extends pulumi.ComponentResource {
  constructor() {
    super("test:Processor", "processor");
  }
}

const given = new pulumi.Config();
const runner = await runnerOn({
  kind: "kubernetes",
  kubeconfig: pulumi.output(readFileSync(given.require("kubeconfig"), "utf8")),
  nodeRange: "10.20.0.0/24",
  privateBalancer: {},
  state: {
    gb: given.requireNumber("stateGB"),
    provisioner: "cinder.csi.openstack.org",
    parameters: {},
    allowDataDeletion: true,
  },
});
const token = { driver: "file", path: "/run/cais/secrets/api-token" };
runner.run(
  {
    name: "processor",
    tags: { owner: "data platform", stack: "platform", environment: "prod", costCentre: "cc-1" },
    image: `registry.example.org/cais/processor@sha256:${given.require("digest")}`,
    memoryBytes: 2e9,
    cpus: 1,
    port: 8080,
    allowFrom: [],
    config: pulumi.output(
      ProcessorConfig.parse({
        environment: given.require("environment"),
        target: "openstack",
        api: { host: "0.0.0.0", token },
        stacks: {},
      }),
    ),
    secrets: [{ file: "api-token", value: given.requireSecret("token"), reference: pulumi.output("") }],
  },
  { parent: new Processor() },
);
