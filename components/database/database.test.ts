import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { record, resolved, testArguments } from "../conformance.ts";
import { Database, type DatabaseArgs, databaseTargets } from "./index.ts";

const server = (id = "server", tls = false) => ({
  id: pulumi.output(id),
  address: pulumi.output("10.20.0.9"),
  tls,
});
const args = (): DatabaseArgs => ({ stack: "rain-fall", server: server(), password: "p@ss/word", target: "openstack" });

describe("Database", () => {
  testArguments<DatabaseArgs>(
    databaseTargets,
    args,
    {
      stack: () => ({ stack: "tides" }),
      server: () => ({ server: server("other") }),
      password: () => ({ password: "another" }),
      allowDataDeletion: () => ({ allowDataDeletion: true, stack: "tides" }),
    },
    (args) => new Database("results", args).url,
  );

  it("is a database and a user for one stack, whose password is a secret", async () => {
    const { result, created } = await record(() => new Database("results", args()));
    expect(created).toEqual([
      {
        type: "openstack:database/database:Database",
        name: "results",
        inputs: { instanceId: "server", name: "rain_fall" },
      },
      {
        type: "openstack:database/user:User",
        name: "results-user",
        inputs: {
          instanceId: "server",
          name: "rain_fall",
          password: { secret: "p@ss/word" },
          databases: ["rain_fall"],
        },
      },
    ]);
    expect(await pulumi.isSecret(result.url)).toBe(true);
  });

  it("has an address that switches TLS off only where the server has none", async () => {
    const address = "postgres://rain_fall:p%40ss%2Fword@10.20.0.9:5432/rain_fall";
    const { result } = await record(() => new Database("results", args()));
    expect(await resolved(result.url)).toBe(`${address}?sslmode=disable`);
    const { result: secured } = await record(() => new Database("results", { ...args(), server: server("s", true) }));
    expect(await resolved(secured.url)).toBe(address);
  });

  it("has a user whose name Trove takes, and no other stack's", async () => {
    const names = ["municipal-rainfall", "municipal-rain-by-day", "a-stack-of-16-ab"].map(async (stack) => {
      const { result } = await record(() => new Database("results", { ...args(), stack }));
      return /\/(\w+):/.exec(await resolved(result.url))?.[1];
    });
    expect(await Promise.all(names)).toEqual([
      expect.stringMatching(/^municipal__[0-9a-f]{5}$/),
      expect.stringMatching(/^municipal__[0-9a-f]{5}$/),
      "a_stack_of_16_ab",
    ]);
    const [first, second] = await Promise.all(names);
    expect(first).not.toBe(second);
  });

  it("does not exist on local, and says what takes its place", async () => {
    await expect(record(() => new Database("results", { ...args(), target: "local" }))).rejects.toThrow(
      "results: local has no database: a `database` sink delivers to any Postgres that its secret names.",
    );
  });
});
