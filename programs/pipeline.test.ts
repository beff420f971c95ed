import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { config, record, resolved } from "../components/conformance.ts";
import { pipeline } from "./pipeline.ts";
import { sales } from "./sales-for-tests.ts";
import { readSettings } from "./settings.ts";

const folder = sales([
  { webhook: { url: { secret: "hook-url" }, secret: { secret: "hook-key" } } },
  { webhook: { url: { secret: "other-url" }, secret: { secret: "hook-key" }, on: ["failed"] } },
]);

async function planned(target: "local" | "openstack", secrets: Record<string, string> = {}) {
  const settings = {
    "cais:target": target,
    "cais:environment": "dev",
    "cais:owner": "data-platform",
    "cais:secrets": JSON.stringify({ sales: secrets }),
  };
  const read = readSettings(settings, { pulumiStack: "test", target, stacks: [{ name: "sales", isolated: false }] });
  const asked: string[] = [];
  const reader = (stack: string, name: string) => {
    asked.push(`${stack}.${name}`);
    return pulumi.secret(`value of ${name}`);
  };
  const recorded = await record(() => pipeline(folder, read, reader), { ...config, ...settings });
  const { secrets: result, stores } = recorded.result;
  return { ...recorded, result, stores, asked };
}

describe("a stack's secrets", () => {
  it("are files of the data folder on local, once for each name, and no value is asked for", async () => {
    const { result, created, asked } = await planned("local");
    expect(Object.fromEntries(Object.entries(result).map(([name, { binding }]) => [name, binding]))).toEqual({
      "hook-key": { driver: "file", path: "secrets/sales/hook-key" },
      "hook-url": { driver: "file", path: "secrets/sales/hook-url" },
      "other-url": { driver: "file", path: "secrets/sales/other-url" },
    });
    expect([created, asked]).toEqual([[], []]);
  });

  it("are kept by Barbican on openstack, closed and with the stack's tags", async () => {
    const { result, created } = await planned("openstack");
    expect(result["hook-key"]?.binding).toEqual({ driver: "file", path: "/run/cais/secrets/sales_hook-key" });
    const kept = created.filter(({ type }) => type.endsWith("SecretV1"));
    expect(kept.map(({ name }) => name)).toEqual(["sales_hook-key", "sales_hook-url", "sales_other-url"]);
    expect(kept[0]?.inputs).toEqual({
      secretType: "opaque",
      payload: { secret: "value of hook-key" },
      payloadContentType: "text/plain",
      metadata: { owner: "shop", stack: "sales", environment: "dev", "cost-centre": "shop" },
    });
  });

  it("sign addresses of the input on openstack, if the key for that is given", async () => {
    const { stores, created, asked } = await planned("openstack", { "temp-url-key": "k" });
    const bindings = await Promise.all([stores.input, stores.lake].map(({ binding }) => resolved(binding)));
    expect(bindings.map((binding) => "tempUrlKey" in binding && binding.tempUrlKey)).toEqual([
      { driver: "file", path: "/run/cais/secrets/sales_temp-url-key" },
      false,
    ]);
    expect(asked).toContain("sales.temp-url-key");
    // Metadata shows it to whoever may administer the container.
    const container = created.find(({ name }) => name === "sales-input");
    expect(JSON.stringify(container?.inputs)).not.toContain("temp-url");
    expect((await planned("openstack")).asked).not.toContain("sales.temp-url-key");
  });

  it("are refused in the config of a target that keeps no values", async () => {
    await expect(planned("local", { "hook-key": "x" })).rejects.toThrow(
      "sales_hook-key: value has no effect on local: write it to the file `secrets/STACK/NAME` in the data folder, mode 0600, and take it out of the config.",
    );
  });
});
