import { describe, expect, it } from "vitest";
import { record, resolved, testArguments } from "../conformance.ts";
import { Secret, type SecretArgs, secretTargets, stackSecret } from "./index.ts";

const tags = { owner: "data-platform", stack: "platform", environment: "prod", costCentre: "cc-1" } as const;

describe("Secret", () => {
  testArguments<SecretArgs>(
    secretTargets,
    (target) => ({ tags, value: target === "local" ? undefined : "x" }),
    { tags: () => ({ tags: { ...tags, stack: "other" } }), value: () => ({ value: "y" }) },
    (args) => new Secret("api-token", args).binding,
  );

  it("is a file of the data folder on local", async () => {
    const { result, created } = await record(() => new Secret("api-token", { tags, target: "local" }));
    expect(result.binding).toEqual({ driver: "file", path: "secrets/platform/api-token" });
    expect(created).toEqual([]);
  });

  it("is called in the data folder as its stack calls it", async () => {
    const of = { ...tags, stack: "inmet" };
    const { result } = await record(() => new Secret(stackSecret("inmet", "hook-key"), { tags: of, target: "local" }));
    expect(result.binding).toEqual({ driver: "file", path: "secrets/inmet/hook-key" });
  });

  it("refuses to leave a configured value unused", async () => {
    await expect(record(() => new Secret("api-token", { tags, value: "x", target: "local" }))).rejects.toThrow(
      "api-token: value has no effect on local: write it to the file `secrets/STACK/NAME` in the data folder, mode 0600, and take it out of the config.",
    );
  });

  it("is kept by Barbican on openstack and mounted as a file", async () => {
    const { result, created } = await record(() => new Secret("api-token", { tags, value: "x", target: "openstack" }));
    expect(created).toEqual([
      {
        type: "openstack:keymanager/secretV1:SecretV1",
        name: "api-token",
        inputs: {
          secretType: "opaque",
          payload: { secret: "x" },
          payloadContentType: "text/plain",
          metadata: { owner: "data-platform", stack: "platform", environment: "prod", "cost-centre": "cc-1" },
        },
      },
    ]);
    expect(result.binding).toEqual({ driver: "file", path: "/run/cais/secrets/api-token" });
    expect(await resolved(result.reference)).toBe("https://barbican.test/v1/secrets/api-token");
  });

  it("needs a value on openstack", async () => {
    await expect(record(() => new Secret("api-token", { tags, target: "openstack" }))).rejects.toThrow(
      "api-token: a secret needs its value on openstack.",
    );
  });
});
