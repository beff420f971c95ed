import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import * as settings from "./settings.ts";

const stacks = [
  { name: "inmet", isolated: false },
  { name: "hydro", isolated: true },
  { name: "tides", isolated: true },
];
const readSettings = (config: Record<string, string>, target: "local" | "openstack" = "local") =>
  settings.readSettings(config, { pulumiStack: target === "local" ? "dev" : "prod-openstack", target, stacks });
const good = { "cais:target": "local", "cais:environment": "dev", "cais:owner": "data-platform" };
const cluster = { kind: "vm", machine: "m1.large", image: "id" };
const platform = (value: unknown) => ({ ...good, "cais:platform": JSON.stringify(value) });
const first = "The stack's config is not right:\n  ";

describe("readSettings", () => {
  it("reads what is under cais: and leaves the rest alone", () => {
    expect(readSettings({ ...good, "openstack:region": "R", "cais:deletable": '["inmet"]' })).toEqual({
      target: "local",
      environment: "dev",
      owner: "data-platform",
      deletable: ["inmet"],
      platform: {},
    });
    expect(readSettings(platform({ cluster, api: { allowFrom: ["10.0.0.0/8", "fd00::/8"] } })).platform).toEqual({
      cluster,
      api: { allowFrom: ["10.0.0.0/8", "fd00::/8"] },
    });
  });

  it("takes a text that looks like a number for a text", () => {
    expect(readSettings({ ...good, "cais:owner": "42" }).owner).toBe("42");
  });

  it("looks at no secret, but at whose it is", () => {
    expect(readSettings({ ...good, "cais:secrets": "[secret]" }).secrets).toEqual({});
    const secrets = JSON.stringify({ platform: { "api-token": "s3cret" }, hydro: "s3cret" });
    expect(readSettings({ ...good, "cais:secrets": secrets }).secrets).toEqual({
      platform: { "api-token": true },
      hydro: {},
    });
  });

  it.each([
    [
      "a missing key",
      { "cais:environment": "dev" },
      "cais:owner is missing; expected string. Set it with: pulumi config set cais:owner <value>",
    ],
    [
      "a wrong choice",
      { ...good, "cais:environment": "production" },
      'cais:environment is "production"; Invalid option: expected one of "dev"|"staging"|"prod". Set it with: pulumi config set cais:environment <value>',
    ],
    [
      "an owner that is no tag",
      { ...good, "cais:owner": "a, b" },
      'cais:owner is "a, b"; 1 to 48 characters, with no comma, no line break and no space at either end, since it becomes a tag. Set it with: pulumi config set cais:owner <value>',
    ],
    [
      "a number for a text",
      platform({ cluster, database: { version: 15, machine: "m1.large" } }),
      "cais:platform.database.version is 15; expected string. Set it with: pulumi config set --path 'cais:platform.database.version' --type string <value>",
    ],
    [
      "a misspelt key",
      { ...good, "cais:ownr": "x" },
      "cais:ownr is not known; did you mean owner? Remove it with: pulumi config rm cais:ownr",
    ],
    [
      "a misspelt key inside",
      platform({ cluster: { ...cluster, machin: "x" } }),
      "cais:platform.cluster.machin is not known; did you mean machine? Remove it with: pulumi config rm --path 'cais:platform.cluster.machin'",
    ],
    [
      "a key like no other",
      platform({ wings: 2 }),
      "cais:platform.wings is not known: there is network, cluster, api, database, isolated, limits, registry, allowPrivate, lineage, events. Remove it with: pulumi config rm --path 'cais:platform.wings'",
    ],
    [
      "a switch of a stack that is not there",
      { ...good, "cais:deletable": '["platform", "inmt"]' },
      `cais:deletable[1] is "inmt"; Invalid option: expected one of "platform"|"inmet"|"hydro"|"tides"; did you mean inmet? Set it with: pulumi config set --path 'cais:deletable[1]' <value>, or remove it with: pulumi config rm --path 'cais:deletable[1]'`,
    ],
    [
      "a secret of a stack that is not there",
      { ...good, "cais:secrets": '{"platfrom":{"api-token":"s3cret"}}' },
      "cais:secrets.platfrom is not known; did you mean platform? Remove it with: pulumi config rm --path 'cais:secrets.platfrom'",
    ],
    [
      "a wrong type inside",
      platform({ cluster: { ...cluster, stateGB: "50" } }),
      "cais:platform.cluster.stateGB is \"50\"; expected number. Set it with: pulumi config set --path 'cais:platform.cluster.stateGB' <value>",
    ],
    [
      "a range that is none",
      platform({ api: { allowFrom: ["10.0.0.0/8", "office"] } }),
      "cais:platform.api.allowFrom[1] is \"office\"; must be a range such as 10.0.0.0/8. Set it with: pulumi config set --path 'cais:platform.api.allowFrom[1]' <value>",
    ],
    [
      "a range of everyone who would be believed",
      platform({ api: { trustedProxies: ["::/0"] } }),
      "cais:platform.api.trustedProxies[0] is \"::/0\"; must not be everyone's range. Set it with: pulumi config set --path 'cais:platform.api.trustedProxies[0]' <value>",
    ],
    [
      "a text where a list is expected",
      { ...good, "cais:deletable": "inmet" },
      "cais:deletable is \"inmet\"; expected array. Set it with: pulumi config set --path 'cais:deletable[0]' <value>",
    ],
    [
      "a text where there is more to say",
      { ...good, "cais:platform": "vm" },
      'cais:platform is "vm"; expected object. Set it with: pulumi config set cais:platform <value>',
    ],
  ])("tells %s, what is there and how to set it", (_, config, problem) => {
    expect(() => readSettings(config)).toThrow(first + problem);
  });

  const prod = (value: unknown, more = {}) => ({
    ...platform(value),
    "cais:target": "openstack",
    "cais:environment": "prod",
    ...more,
  });
  const tides = { port: 8081, allowFrom: ["10.0.0.0/8"] };

  it("reads the ports of isolated stacks", () => {
    expect(readSettings(prod({ isolated: { tides } }), "openstack").platform).toEqual({ isolated: { tides } });
  });

  it("tells a file that was copied from another environment's or target's", () => {
    const copied = { ...prod({}), "cais:environment": "dev" };
    expect(() => readSettings(copied, "openstack")).toThrow(
      `${first}cais:environment is dev, and the Pulumi stack is named prod-openstack. Set it with: pulumi config set cais:environment prod`,
    );
    const place = { pulumiStack: "prod-openstack", target: "local", stacks } as const;
    expect(() => settings.readSettings(prod({}), place)).toThrow(
      `${first}cais:target is local, and the Pulumi stack is named prod-openstack. Set it with: pulumi config set cais:target openstack`,
    );
  });

  it.each([
    [
      "a port that the shared processor has",
      prod({ isolated: { hydro: { ...tides, port: 8080 } } }),
      "cais:platform.isolated.hydro.port is 8080, which the shared processor has already on the same machine. Set it with: pulumi config set --path 'cais:platform.isolated.hydro.port' <value>",
    ],
    [
      "a port that the load balancer has",
      prod({
        api: { loadBalancer: { certificate: "https://barbican.test/v1/secrets/1", port: 8081 } },
        isolated: { tides },
      }),
      "cais:platform.isolated.tides.port is 8081, which the load balancer has already for the shared processor. Set it with: pulumi config set --path 'cais:platform.isolated.tides.port' <value>",
    ],
    [
      "a port that another has",
      prod({ isolated: { hydro: tides, tides } }),
      "cais:platform.isolated.tides.port is 8081, which hydro has already on the same machine. Set it with: pulumi config set --path 'cais:platform.isolated.tides.port' <value>",
    ],
    [
      "a port for a stack that is not isolated",
      prod({ isolated: { inmet: tides } }),
      "cais:platform.isolated.inmet is of a stack that is not isolated here, so its API is the shared one's. Remove it with: pulumi config rm --path 'cais:platform.isolated.inmet'",
    ],
    [
      "a secret of an isolated stack",
      prod({}, { "cais:secrets": '{"hydro":{"key":"s3cret"}}' }),
      "cais:secrets.hydro is of hydro, which is isolated; set it with --stack prod-openstack.hydro. Remove it here with: pulumi config rm --path 'cais:secrets.hydro'",
    ],
    [
      "a switch of an isolated stack",
      prod({}, { "cais:deletable": '["inmet","hydro"]' }),
      "cais:deletable[1] is of hydro, which is isolated; set it with --stack prod-openstack.hydro. Remove it here with: pulumi config rm --path 'cais:deletable[1]'",
    ],
  ])("tells %s", (_, config, problem) => {
    expect(() => readSettings(config, "openstack")).toThrow(first + problem);
  });

  it("throws what Pulumi prints without the program's frames", () => {
    expect(() => readSettings({})).toThrow(pulumi.RunError);
  });

  it("tells all that is wrong at once", () => {
    expect(() => readSettings({ "cais:deletable": '["A"]' })).toThrow(/environment[^]*owner[^]*deletable\[0\]/);
  });
});

describe("readIsolatedSettings", () => {
  const { "cais:owner": _, ...own } = good;
  it("reads what a processor of its own has", () => {
    const limits = { memoryBytes: 1e9, cpus: 1, tempBytes: 1e9 };
    const config = { ...own, "cais:platform": JSON.stringify({ limits }), "cais:deletable": '["hydro"]' };
    expect(settings.readIsolatedSettings(config, "hydro")).toEqual({
      target: "local",
      environment: "dev",
      deletable: ["hydro"],
      platform: { limits },
    });
  });

  it.each([
    [
      "a key of the shared stack",
      { ...own, "cais:platform": JSON.stringify({ cluster }) },
      "cais:platform.cluster is not known in an isolated stack: it is the shared one's. Remove it with: pulumi config rm --path 'cais:platform.cluster'",
    ],
    [
      "an owner, which its stack.yaml names",
      good,
      "cais:owner is not known in an isolated stack: it is the shared one's. Remove it with: pulumi config rm cais:owner",
    ],
    [
      "a misspelt key",
      { ...own, "cais:imag": "x" },
      "cais:imag is not known; did you mean image? Remove it with: pulumi config rm cais:imag",
    ],
    [
      "a secret of another stack",
      { ...own, "cais:secrets": '{"inmet":{"key":"s3cret"}}' },
      "cais:secrets.inmet is not known: there is platform, hydro. Remove it with: pulumi config rm --path 'cais:secrets.inmet'",
    ],
  ])("tells %s", (_, config, problem) => {
    expect(() => settings.readIsolatedSettings(config, "hydro")).toThrow(first + problem);
  });
});
