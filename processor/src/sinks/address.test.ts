import type { LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import { expect, it } from "vitest";
import { AddressRefused, guardAddresses, isPublic } from "./address.ts";

it.each([
  ["1.1.1.1", true],
  ["::ffff:1.1.1.1", true],
  ["2606:4700:4700::1111", true],
  ["64:ff9b::101:101", true],
  ["0.0.0.0", false],
  ["10.1.2.3", false],
  ["100.64.0.1", false],
  ["127.0.0.1", false],
  ["127.255.255.254", false],
  ["168.63.129.16", false],
  ["169.254.169.254", false],
  ["172.16.0.1", false],
  ["172.31.255.255", false],
  ["172.32.0.1", true],
  ["192.168.1.1", false],
  ["198.18.0.1", false],
  ["224.0.0.1", false],
  ["255.255.255.255", false],
  ["::", false],
  ["::1", false],
  ["::7f00:1", false],
  ["::ffff:10.0.0.1", false],
  ["::ffff:a9fe:a9fe", false],
  ["0:0:0:0:0:ffff:7f00:0001", false],
  ["::ffff:0:127.0.0.1", false],
  ["64:ff9b::a9fe:a9fe", false],
  ["64:ff9b::", false],
  ["64:ff9b:1::a00:1", false],
  ["100::1", false],
  ["2001::1", false],
  ["2001:db8::1", false],
  ["2002:7f00:1::", false],
  ["fc00::1", false],
  ["fd00:ec2::254", false],
  ["fe80::1", false],
  ["fe80::1%eth0", false],
  ["ff02::1", false],
  ["localhost", false],
  ["", false],
])("takes %s for an address of the public internet: %s", (address, expected) => {
  expect(isPublic(address)).toBe(expected);
});

/** A name server that gives other addresses each time. */
function answering(...answers: string[][]): LookupFunction {
  let asked = 0;
  return (_host, _options, done) => {
    const found = answers[Math.min(asked++, answers.length - 1)] ?? [];
    done(
      null,
      found.map((address): LookupAddress => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  };
}

const resolve = (lookup: LookupFunction, all: boolean) =>
  new Promise<unknown>((done, fail) => {
    lookup("host.test", { all }, (error, found, family) => (error ? fail(error) : done([found, family])));
  });

it("refuses a name any of whose addresses is private", async () => {
  const { lookup } = guardAddresses([], answering(["1.1.1.1", "10.0.0.1"]));
  await expect(resolve(lookup, true)).rejects.toThrow(
    new AddressRefused(
      "It leads to 10.0.0.1, which is not of the public internet; give another address, or have the platform team allow that one in cais:platform.allowPrivate.",
    ),
  );
});

it("looks at each answer of a name server that changes its mind", async () => {
  const { lookup } = guardAddresses([], answering(["1.1.1.1"], ["::ffff:169.254.169.254"]));
  expect(await resolve(lookup, false)).toEqual(["1.1.1.1", 4]);
  await expect(resolve(lookup, false)).rejects.toThrow(AddressRefused);
});

it("lets through what is allowed although it is private, in each of its forms", async () => {
  const { lookup, checkLiteral, isAllowedPrivate } = guardAddresses(
    ["10.9.0.0/16", "fd12::/16"],
    answering(["10.9.0.1", "::ffff:10.9.0.2", "fd12::1"]),
  );
  expect(await resolve(lookup, true)).toEqual([
    [
      { address: "10.9.0.1", family: 4 },
      { address: "::ffff:10.9.0.2", family: 6 },
      { address: "fd12::1", family: 6 },
    ],
    undefined,
  ]);
  expect(() => checkLiteral("[fd12::1]")).not.toThrow();
  expect(() => checkLiteral("10.8.0.1")).toThrow(AddressRefused);
  expect(() => checkLiteral("[::1]")).toThrow(AddressRefused);
  expect([isAllowedPrivate("10.9.0.1"), isAllowedPrivate("1.1.1.1")]).toEqual([true, false]);
});

it("says that a name has no address", async () => {
  await expect(resolve(guardAddresses([], answering([])).lookup, true)).rejects.toThrow("The host has no address.");
});
