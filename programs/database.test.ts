import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { config, record } from "../components/conformance.ts";
import { databaseOf } from "./database.ts";
import { pipeline } from "./pipeline.ts";
import { platform } from "./platform.ts";
import { sales } from "./sales-for-tests.ts";
import { readSettings } from "./settings.ts";

const folder = sales([
  { database: { table: "sold", url: { secret: "results-url" }, to: "sales.sold" } },
  { webhook: { url: { secret: "hook-url" }, secret: { secret: "hook-key" } } },
]);
const database = { version: "16", machine: "flavor-id", diskType: "luks", tls: false };
const server = {
  network: { external: { id: "external-id", name: "public" } },
  cluster: { kind: "vm", machine: "m1.large", image: "id" },
  database,
};

/** Makes the platform, and on it a stack that takes a database as this secret. */
async function planned(
  name: string | undefined,
  platformKeys: object = server,
  target: "local" | "openstack" = "openstack",
) {
  const settings = {
    ...config,
    "cais:target": target,
    "cais:environment": "dev",
    "cais:owner": "data-platform",
    "cais:platform": JSON.stringify(platformKeys),
    "cais:databases": JSON.stringify(name === undefined ? {} : { sales: name }),
  };
  const read = readSettings(settings, { pulumiStack: "test", target, stacks: [{ name: "sales", isolated: false }] });
  const asked: string[] = [];
  const secret = (stack: string, key: string) => {
    asked.push(`${stack}.${key}`);
    return pulumi.secret(`value of ${key}`);
  };
  const recorded = await record(async () => {
    const { network } = await platform(read, true);
    return pipeline(folder, read, secret, {}, network && databaseOf(read, network, secret));
  }, settings);
  await recorded.result;
  return { ...recorded, asked };
}

describe("a stack's database", () => {
  it("is the platform's, and its address is the secret that the sink names", async () => {
    const { created, asked } = await planned("results-url");
    expect(created.find(({ name }) => name === "database")?.inputs).toMatchObject({
      datastore: { type: "postgresql", version: "16" },
      volumeType: "luks",
      networks: [{ uuid: "id of platform" }],
      users: { secret: [{ name: "cais", password: "value of database", databases: ["cais"] }] },
    });
    expect(created.find(({ name }) => name === "sales_results-url")?.inputs).toMatchObject({
      payload: { secret: "postgres://cais:value%20of%20database@10.20.0.9:5432/cais?sslmode=disable" },
    });
    expect(asked).toEqual(["platform.database", "platform.database", "sales.hook-key", "sales.hook-url"]);
  });

  it("is not that of a stack that does not take it, whose address is a secret of the config", async () => {
    const { created, asked } = await planned(undefined);
    expect(created.find(({ name }) => name === "sales_results-url")?.inputs).toMatchObject({
      payload: { secret: "value of results-url" },
    });
    expect(asked).toEqual(["platform.database", "sales.hook-key", "sales.hook-url", "sales.results-url"]);
  });

  it.each<[string, Parameters<typeof planned>, string]>([
    [
      "a secret that no sink has as its url",
      ["hook-url"],
      "cais:databases.sales is hook-url, and no `database` sink of the stack has that as its url; there is results-url. Set it with: pulumi config set --path 'cais:databases.sales' <name>",
    ],
    [
      "a database that is not there",
      ["results-url", { ...server, database: undefined }],
      "cais:databases.sales takes a database, and the platform has none; say what it is, beginning with: pulumi config set --path 'cais:platform.database.version' --type string <version>",
    ],
    [
      "a database on a target that has none",
      [undefined, { database }, "local"],
      "cais:platform.database has no effect on local: the processor is a process on this machine; remove it with: pulumi config rm --path 'cais:platform.database'",
    ],
    [
      "to take one on a target that has none",
      ["results-url", {}, "local"],
      "cais:databases.sales has no effect on local: a `database` sink delivers to any Postgres that its secret names; remove it with: pulumi config rm --path 'cais:databases.sales'",
    ],
    [
      "a connection in the clear that nobody agreed to",
      ["results-url", { ...server, database: { ...database, tls: undefined } }],
      "database: Trove sets up no TLS in its databases; if the private network may carry what is sent in the clear, say so with: pulumi config set --path cais:platform.database.tls false",
    ],
  ])("is refused: %s", async (_, args, message) => {
    await expect(planned(...args)).rejects.toThrow(message);
  });
});
