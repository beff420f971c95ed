import { BlockList, isIP } from "node:net";

/** An address range as a rule writes it: `10.0.0.0/8`, or one full address. */
export interface Range {
  readonly address: string;
  readonly bits: number;
  readonly version: 4 | 6;
}

/** Reads a range. Undefined: the text is none. */
export function readRange(text: string): Range | undefined {
  const [address = "", bits, ...rest] = text.split("/");
  const version = isIP(address);
  if ((version !== 4 && version !== 6) || rest.length > 0) return undefined;
  const all = version === 6 ? 128 : 32;
  if (bits === undefined) return { address, bits: all, version };
  return /^\d+$/.test(bits) && Number(bits) <= all ? { address, bits: Number(bits), version } : undefined;
}

/** Whether a range is wider than the widest private one: 10.0.0.0/8 (RFC 1918), fc00::/7 (RFC 4193). */
export const isWide = ({ bits, version }: Range): boolean => bits < (version === 6 ? 7 : 8);

/** Private (RFC 1918, RFC 4193), shared by a carrier (RFC 6598), link-local and loopback: https://www.iana.org/assignments/iana-ipv4-special-registry */
const privateRanges = [
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "169.254.0.0/16",
  "127.0.0.0/8",
  "fc00::/7",
  "fe80::/10",
  "::1/128",
].map((text) => {
  const range = readRange(text);
  if (!range) throw new Error(`${text} is no range.`);
  const list = new BlockList();
  list.addSubnet(range.address, range.bits, `ipv${range.version}`);
  return { ...range, list };
});

/** Whether no address of a range can be reached over the internet. */
export const isPrivate = ({ address, bits, version }: Range): boolean =>
  privateRanges.some(
    (range) => range.version === version && bits >= range.bits && range.list.check(address, `ipv${version}`),
  );
