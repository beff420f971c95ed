import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { config, record } from "../components/conformance.ts";
import { processorOf } from "./processor.ts";

const tags = { owner: "data-platform", stack: "platform", environment: "prod", costCentre: "cc-1" } as const;
const args = { tags, pipelines: [], image: undefined, cluster: undefined, port: 8080, allowFrom: [] };
const secret = (stack: string, name: string) => pulumi.secret(`${stack}.${name}`);
const make = () => processorOf("processor", args, { registry: { username: "robot" } }, secret);

it("is logged in to with a secret of the platform", async () => {
  const asked: string[][] = [];
  const noted = (...key: [string, string]) => {
    asked.push(key);
    return secret(...key);
  };
  // Without a cluster it gets no further than this.
  const settings = { ...config, "cais:target": "openstack" };
  await expect(
    record(() => processorOf("processor", args, { registry: { username: "robot" } }, noted), settings),
  ).rejects.toThrow("needs a cluster");
  expect(asked).toEqual([["platform", "registry"]]);
});

it("is none where nothing is fetched", async () => {
  await expect(record(make)).rejects.toThrow(
    "cais:platform.registry has no effect on local: the processor runs from this folder; remove it with: pulumi config rm --path 'cais:platform.registry'",
  );
});
