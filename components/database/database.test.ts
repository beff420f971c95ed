import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { record, resolved, testArguments } from "../conformance.ts";
import { Network } from "../network/index.ts";
import { Database, type DatabaseArgs, databaseTargets, databaseUrl } from "./index.ts";

const tags = { owner: "data-platform", stack: "platform", environment: "prod", costCentre: "cc-1" } as const;
const network = (name = "platform") => new Network(name, { tags, target: "openstack" });
const args = (): DatabaseArgs => ({
  network: network(),
  version: "16",
  machine: "flavor-id",
  password: "p@ss/word",
  tls: false,
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
      diskType: () => ({ diskType: "luks" }),
      password: () => ({ password: "another" }),
      tls: () => ({ tls: false, diskGB: 11 }),
      allowDataDeletion: () => ({ allowDataDeletion: true, diskGB: 11 }),
    },
    (args) => new Database("results", args).host,
  );

  it("is a Postgres in the private network, whose password is a secret and whose disk is of the kind that is named", async () => {
    const { result, created } = await record(() => new Database("results", { ...args(), diskType: "luks" }));
    expect(created.find(({ name }) => name === "results")).toEqual({
      type: "openstack:database/instance:Instance",
      name: "results",
      inputs: {
        datastore: { type: "postgresql", version: "16" },
        flavorId: "flavor-id",
        size: 10,
        volumeType: "luks",
        networks: [{ uuid: "id of platform" }],
        databases: [{ name: "cais" }],
        users: { secret: [{ name: "cais", password: "p@ss/word", databases: ["cais"] }] },
      },
    });
    expect(await resolved(result.host)).toEqual({ address: "10.20.0.9", tls: false });
  });

  it("has an address that is a secret, and switches TLS off only where there is none", async () => {
    const address = pulumi.output("10.20.0.9");
    const plain = databaseUrl({ address, tls: false }, "p@ss/word");
    expect(await resolved(plain)).toBe("postgres://cais:p%40ss%2Fword@10.20.0.9:5432/cais?sslmode=disable");
    expect(await pulumi.isSecret(plain)).toBe(true);
    const secured = databaseUrl({ address, tls: true }, "p@ss/word");
    expect(await resolved(secured)).toBe("postgres://cais:p%40ss%2Fword@10.20.0.9:5432/cais");
  });

  it("tells where there is no router, without which Trove makes no database", async () => {
    const { warnings } = await record(() => new Database("results", args()));
    expect(warnings).toEqual([
      "results: the network has no router, and Trove as a rule makes no database in such a one; name the provider's external network with: pulumi config set --path 'cais:platform.network.external.id' <id>, and external.name.",
    ]);
    const external = { id: "external-id", name: "public" };
    const outside = new Network("platform", { tags, external, target: "openstack" });
    expect((await record(() => new Database("results", { ...args(), network: outside }))).warnings).toEqual([]);
  });

  it("is refused with TLS, which Trove does not set up, so that nobody sends in the clear unawares", async () => {
    for (const tls of [true, undefined])
      await expect(record(() => new Database("results", { ...args(), tls }))).rejects.toThrow(
        "results: Trove sets up no TLS in its databases; if the private network may carry what is sent in the clear, say so with: pulumi config set --path cais:platform.database.tls false",
      );
  });

  it("does not exist on local, and says what takes its place", async () => {
    await expect(record(() => new Database("results", { ...args(), target: "local" }))).rejects.toThrow(
      "results: local has no database: a `database` sink delivers to any Postgres that its secret names.",
    );
  });
});
