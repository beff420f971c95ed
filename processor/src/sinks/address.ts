import { lookup as systemLookup, type LookupAddress } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

/** Thrown where a host leads to an address that must not be reached. The message names the address and what allows it. */
export class AddressRefused extends Error {
  override name = "AddressRefused";
}

/** Says which addresses may be reached, and finds those of a host. */
export interface Addresses {
  /**
   * Resolves a host as Node's own `lookup`, but fails with `AddressRefused` if any of its addresses must not be reached. A
   * connection that is made with it goes to an address that was checked, whatever a name server says a moment later.
   */
  lookup: LookupFunction;
  /** Throws `AddressRefused` if a host that is written as an address must not be reached; Node asks `lookup` of names only. */
  checkLiteral(host: string): void;
  /** Whether an address is one of those that are allowed although they are private. */
  isAllowedPrivate(address: string): boolean;
}

/**
 * What is not of the public internet: https://www.iana.org/assignments/iana-ipv4-special-registry and
 * https://www.iana.org/assignments/iana-ipv6-special-registry, with multicast. 169.254.169.254, where clouds keep the
 * machine's credentials, is link-local; so is its like in IPv6, fd00:ec2::254, unique local.
 */
const special4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  // Azure's platform services, which answer every machine there: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
  "168.63.129.16/32",
];

/** Of what is assigned in IPv6 at all (2000::/3), the parts that are special, and those that carry an IPv4 address. */
const special6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];
const assigned6 = ["2000::/3"];

/** Addresses of IPv6 that stand for one of IPv4: mapped, and NAT64 (RFC 6052). */
const mapped = ["::ffff:0:0/96"];
const translated = ["64:ff9b::/96"];

const lists = {
  special4: blockList(special4),
  special6: blockList(special6),
  assigned6: blockList(assigned6),
  carriesIpv4: blockList([...mapped, ...translated]),
};

/** `allowed`: ranges (CIDRs) that may be reached although they are private. `lookup`: how names are resolved. */
export function guardAddresses(allowed: readonly string[], lookup: LookupFunction = lookupAll): Addresses {
  const allowedList = blockList(allowed);
  const isAllowedPrivate = (address: string) => holds(allowedList, ipv4In(address) ?? address);

  function check(address: string): void {
    if (isPublic(address) || isAllowedPrivate(address)) return;
    throw new AddressRefused(
      `It leads to ${address}, which is not of the public internet; give another address, or have the platform team allow that one in cais:platform.allowPrivate.`,
    );
  }

  return {
    isAllowedPrivate,
    checkLiteral(host) {
      const bare = host.replace(/^\[(.*)\]$/, "$1");
      if (isIP(bare) !== 0) check(bare);
    },
    lookup(host, options, done) {
      lookup(host, { ...options, all: true }, (error, found) => {
        if (error !== null) return void done(error, "", 0);
        const addresses: LookupAddress[] =
          typeof found === "string" ? [{ address: found, family: isIP(found) }] : found;
        try {
          for (const { address } of addresses) check(address);
        } catch (refused) {
          return void done(refused instanceof Error ? refused : new Error(String(refused)), "", 0);
        }
        const [first] = addresses;
        if (first === undefined) return void done(new Error("The host has no address."), "", 0);
        if (options.all === true) done(null, addresses);
        else done(null, first.address, first.family);
      });
    },
  };
}

/** The system's own way, which knows its hosts file too. */
const lookupAll: LookupFunction = (host, options, done) => systemLookup(host, { ...options, all: true }, done);

/** Whether an address is of the public internet. What is no address is not. */
export function isPublic(address: string): boolean {
  // A zone (fe80::1%eth0) is of a link.
  if (isIP(address) === 0 || address.includes("%")) return false;
  const inner = isIP(address) === 6 ? ipv4In(address) : address;
  if (inner !== undefined) return !holds(lists.special4, inner);
  return holds(lists.assigned6, address) && !holds(lists.special6, address);
}

/** The IPv4 address that one of IPv6 stands for. */
function ipv4In(address: string): string | undefined {
  if (isIP(address) !== 6 || address.includes("%") || !holds(lists.carriesIpv4, address)) return undefined;
  // The URL parser writes every form of an address the same way, without the dots of IPv4.
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const last = (groups.at(-1) ?? "").split(":").slice(-2);
  const [high = "0", low = "0"] = last.length === 2 ? last : ["0", ...last];
  const number = Number.parseInt(high || "0", 16) * 65_536 + Number.parseInt(low || "0", 16);
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

const holds = (list: BlockList, address: string) =>
  isIP(address) !== 0 && list.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");
