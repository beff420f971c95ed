import { readFileSync } from "node:fs";
import { readStack } from "@cais/spec/read-stack.ts";
import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { resolved } from "../components/conformance.ts";
import { isolated } from "./isolated.ts";
import { readIsolatedSettings } from "./settings.ts";

/** How Pulumi's wire marks a secret: https://github.com/pulumi/pulumi/blob/master/sdk/nodejs/runtime/rpc.ts, `specialSigKey`. */
const signature = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";

const closed = (value: unknown): unknown =>
  typeof value === "object" && value !== null && Reflect.get(value, signature) === secretSignature ? "closed" : value;

it("a stack's secrets reach the provider closed, and nothing else: no name, no workload, no output", async () => {
  const config = { "cais:target": "openstack", "cais:environment": "prod", "openstack:authUrl": "https://k.test/v3" };
  const outputs = {
    workloads: "w",
    platform: {
      environment: "prod",
      target: "openstack",
      image: `registry.test/cais@sha256:${"0".repeat(64)}`,
      isolated: { ivi: { port: 8081, allowFrom: ["10.0.0.0/8"] } },
    },
  };
  const asks: pulumi.runtime.MockResourceArgs[] = [];
  const newResource = (args: pulumi.runtime.MockResourceArgs) => {
    asks.push(args);
    const { type, name, inputs } = args;
    const given = type === "pulumi:pulumi:StackReference" ? { outputs, secretOutputNames: [] } : {};
    const made = { name, secret: "TOP-SECRET of Keystone", secretRef: "https://b.test/1" };
    return { id: args.id || `id of ${name}`, state: { ...made, ...inputs, ...given } };
  };
  await pulumi.runtime.setMocks({ newResource, call: () => ({}) }, "cais", "prod-openstack.ivi", false, "organization");
  pulumi.runtime.setAllConfig(config);
  const asked: string[] = [];
  const { processor } = await isolated(
    { shared: "prod-openstack", folder: readStack("stacks/ivi") },
    readIsolatedSettings(config, "ivi"),
    (stack, name) => {
      asked.push(`${stack}.${name}`);
      return pulumi.secret(`TOP-SECRET ${stack}.${name}`);
    },
  );
  await pulumi.runtime.disconnect();
  expect(asked).toEqual(["ivi.powerbi-app", "ivi.powerbi-url", "platform.api-token"]);
  const all = JSON.stringify(asks);
  for (const name of [...asked, "of Keystone"]) expect(all).toContain(`TOP-SECRET ${name}`);
  expect(JSON.stringify(asks, (_, value: unknown) => closed(value))).not.toContain("TOP-SECRET");

  const output = pulumi.output(processor.config);
  expect(JSON.stringify(await resolved(output))).not.toContain("TOP-SECRET");
  // All of it may be shown, so `pulumi stack output` needs no --show-secrets to hand it over.
  expect(await pulumi.isSecret(output)).toBe(false);
});

it("the image is made of the processor's sources alone: no stack's file, no data folder", () => {
  const copied = readFileSync("processor/Dockerfile", "utf8")
    .split("\n")
    .flatMap((line) => /^(?:COPY|ADD) (?!--from=)(.+) \S+$/.exec(line)?.[1]?.split(" ") ?? []);
  const allowed = /^(package(-lock)?\.json|\.npmrc|spec(\/.*)?|processor\/(package\.json|src|portal(\/.*)?))$/;
  expect(copied.length).toBeGreaterThan(5);
  expect(copied.filter((path) => !allowed.test(path))).toEqual([]);
});
