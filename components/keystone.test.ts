import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { authority, config } from "./conformance.ts";
import { keystone } from "./keystone.ts";

const read = (settings: Record<string, string>) => {
  pulumi.runtime.setAllConfig(settings);
  return keystone();
};

it("is where the provider's own config says", () => {
  expect(read(config)).toEqual({ authUrl: "https://keystone.test/v3", region: "RegionOne" });
  expect(read({ "openstack:authUrl": "http://10.0.0.1:5000/v3" })).toEqual({ authUrl: "http://10.0.0.1:5000/v3" });
});

it("takes each certificate of private authorities out of what stands around it", () => {
  const text = `# ours\n${authority}\n# the old one, until May\n${authority}`;
  expect(read({ ...config, "openstack:cacertFile": text }).ca).toEqual([authority, authority]);
});

it.each([
  ["/etc/ssl/certs/ca.pem", "there is no BEGIN CERTIFICATE"],
  ["", "there is no BEGIN CERTIFICATE"],
  [authority.replace("\nMII", "\nAII"), "error:"],
])("refuses what holds no certificates: %s", (text, reason) => {
  const told = () => read({ ...config, "openstack:cacertFile": text });
  expect(told).toThrow("openstack:cacertFile holds no certificates in PEM (");
  expect(told).toThrow(reason);
  expect(told).toThrow("give them themselves, no path, with: pulumi config set openstack:cacertFile < <file>");
});

it("has to be in the config, since a machine has no clouds.yaml", () => {
  expect(() => read({})).toThrow("openstack:authUrl is missing; set Keystone's v3 address with: ");
  expect(() => read({ "openstack:authUrl": "keystone" })).toThrow(
    'openstack:authUrl is "keystone", which is no address',
  );
});
