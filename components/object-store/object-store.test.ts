import { describe, expect, it } from "vitest";
import { ObjectStoreBinding } from "@cais/spec/bindings.ts";
import { config, record, resolved, testArguments } from "../conformance.ts";
import { Secret } from "../secret/index.ts";
import { builtTargets } from "../target.ts";
import { ObjectStore, type ObjectStoreArgs, objectStoreTargets } from "./index.ts";

const tags = { owner: "meteorologia", stack: "inmet", environment: "prod", costCentre: "cc-7" } as const;
const args: ObjectStoreArgs = { tags, role: "input" };

describe.each(builtTargets)("ObjectStore on %s", (target) => {
  it("binds to what the processor accepts", async () => {
    const { result } = await record(() => new ObjectStore("inmet-input", { ...args, target }));
    const binding = await resolved(result.binding);
    expect(ObjectStoreBinding.parse(binding)).toEqual(binding);
  });
});

describe("ObjectStore", () => {
  testArguments<ObjectStoreArgs>(
    objectStoreTargets,
    () => args,
    {
      tags: () => ({ tags: { ...tags, stack: "other" } }),
      role: () => ({ role: "output" }),
      versioned: (target) => ({ versioned: target === "local" }),
      announced: () => ({ announced: true }),
      tempUrlKey: (target) => ({
        tempUrlKey: new Secret("key", { tags, target, value: target === "local" ? undefined : "k" }),
      }),
      allowDataDeletion: () => ({ allowDataDeletion: true }),
    },
    (args) => new ObjectStore("inmet-input", args).binding,
  );

  it("records a folder on local and makes nothing", async () => {
    const { result, created } = await record(() => new ObjectStore("inmet-input", { ...args, target: "local" }));
    expect(result.binding).toEqual({ driver: "fs", path: "stores/inmet/input" });
    expect(created).toEqual([]);
  });

  it("makes one private, versioned container on openstack", async () => {
    const { result, created } = await record(() => new ObjectStore("inmet-input", { ...args, target: "openstack" }));
    expect(created).toEqual([
      {
        type: "openstack:objectstorage/container:Container",
        name: "inmet-input",
        inputs: {
          versioning: true,
          forceDestroy: false,
          metadata: {
            owner: "meteorologia",
            stack: "inmet",
            environment: "prod",
            "cost-centre": "cc-7",
            role: "input",
          },
        },
      },
    ]);
    expect(await resolved(result.binding)).toEqual({
      driver: "swift",
      authUrl: "https://keystone.test/v3",
      region: "RegionOne",
      container: "inmet-input-1a2b3c4",
      credential: { driver: "file", path: "/run/cais/secrets/store-credential.json" },
    });
  });

  it("may only be emptied when both switches say so", async () => {
    expect(await emptied(false, false)).toEqual({ created: force(false), warnings: [] });
    expect(await emptied(true, true)).toEqual({ created: force(true), warnings: [] });
    expect(await emptied(true, false)).toEqual({
      created: force(false),
      warnings: [
        "inmet-input: data stays protected, because its own switch allows its deletion but cais:allowDataDeletion does not.",
      ],
    });
    expect(await emptied(false, true)).toEqual({
      created: force(false),
      warnings: [
        "inmet-input: data stays protected, because cais:allowDataDeletion allows its deletion but its own switch does not.",
      ],
    });
  });

  it("says which command sets Keystone's address", async () => {
    const way = "set Keystone's v3 address with: pulumi config set openstack:authUrl https://<host>:5000/v3";
    await expect(emptied(false, false, {})).rejects.toThrow(`openstack:authUrl is missing; ${way}`);
    await expect(emptied(false, false, { "openstack:authUrl": "keystone:5000" })).rejects.toThrow(
      `openstack:authUrl is "keystone:5000", which is no address; ${way}`,
    );
  });
});

async function emptied(own: boolean, global: boolean, provider: Record<string, string> = config) {
  const { created, warnings } = await record(
    () => new ObjectStore("inmet-input", { ...args, target: "openstack", allowDataDeletion: own }),
    { ...provider, "cais:allowDataDeletion": String(global) },
  );
  return { created: created.map(({ inputs }) => inputs), warnings };
}

const force = (forceDestroy: boolean) => [expect.objectContaining({ forceDestroy })];
