import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { record, resolved, testArguments } from "../conformance.ts";
import { Network } from "../network/index.ts";
import { Database, type DatabaseArgs, databaseTargets } from "./index.ts";

const tags = { owner: "data-platform", stack: "platform", environment: "prod", costCentre: "cc-1" } as const;
const network = (name = "platform") => new Network(name, { tags, target: "openstack" });
const args = (): DatabaseArgs => ({
  network: network(),
  version: "16",
  machine: "flavor-id",
  password: "p@ss/word",
  target: "openstack",
});

describe("Database", () => {
  testArguments<DatabaseArgs>(
    databaseTargets,
    args,
    {
      network: () => ({ network: network("other") }),
      version: () => ({ version: "17" }),
      machine: () => ({ machine: "other-flavor" }),
      diskGB: () => ({ diskGB: 20 }),
      owner: () => ({ owner: "reports" }),
      password: () => ({ password: "another" }),
      allowDataDeletion: () => ({ allowDataDeletion: true, diskGB: 11 }),
    },
    (args) => new Database("results", args).url,
  );

  it("is a Postgres in the private network, whose password is a secret", async () => {
    const { result, created } = await record(() => new Database("results", args()));
    expect(created.find(({ name }) => name === "results")).toEqual({
      type: "openstack:database/instance:Instance",
      name: "results",
      inputs: {
        datastore: { type: "postgresql", version: "16" },
        flavorId: "flavor-id",
        size: 10,
        networks: [{ uuid: "id of platform" }],
        databases: [{ name: "cais" }],
        users: { secret: [{ name: "cais", password: "p@ss/word", databases: ["cais"] }] },
      },
    });
    expect(await resolved(result.url)).toBe("postgres://cais:p%40ss%2Fword@10.20.0.9:5432/cais");
    expect(await pulumi.isSecret(result.url)).toBe(true);
  });

  it("does not exist on local, and says what takes its place", async () => {
    await expect(record(() => new Database("results", { ...args(), target: "local" }))).rejects.toThrow(
      "results: local has no database: a `database` sink delivers to any Postgres that its secret names.",
    );
  });
});
