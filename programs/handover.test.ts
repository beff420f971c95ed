import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { resolved } from "../components/conformance.ts";
import { handOver, takeOver } from "./handover.ts";

const platform = { environment: "prod", target: "openstack", isolated: {} } as const;
const host = { kind: "vm", workloads: pulumi.output("w") } as const;

/** What an isolated stack takes over from a shared one with these outputs. */
async function taken(outputs: unknown) {
  const newResource = ({ id, name, inputs }: pulumi.runtime.MockResourceArgs) => ({
    id: id ?? name,
    state: { ...inputs, outputs, secretOutputNames: [] },
  });
  await pulumi.runtime.setMocks({ newResource, call: () => ({}) }, "cais", "prod-openstack.ivi", true, "organization");
  const made = await takeOver("prod-openstack", false);
  await pulumi.runtime.disconnect();
  return made;
}

it("hands the database over, and whether it is encrypted", async () => {
  const outputs = handOver(platform, host, { address: pulumi.output("10.20.0.9"), tls: false });
  expect(outputs.platform).toEqual({ ...platform, database: { tls: false } });
  const { database, host: same } = await taken(await resolved(outputs));
  expect(await resolved(database)).toEqual({ address: "10.20.0.9", tls: false });
  expect(await resolved(same)).toEqual({ kind: "vm", workloads: "w" });
});

it("hands over no database where there is none", async () => {
  const outputs = handOver(platform, host, undefined);
  expect(await resolved(outputs)).toEqual({ platform, workloads: "w" });
  expect((await taken(await resolved(outputs))).database).toBeUndefined();
});
