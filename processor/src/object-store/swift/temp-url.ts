import { createHmac } from "node:crypto";
import { pathOf } from "./client.ts";

/**
 * An address with which anyone may do one thing with one object until it expires
 * (https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html). It is itself a secret. `name`: what a
 * download is saved as.
 */
export function tempUrl(
  address: string,
  key: string,
  { method, secret, expires, name }: { method: "GET" | "PUT"; secret: string; expires: Date; name?: string },
): string {
  const url = new URL(`${address}/${pathOf(key)}`);
  const seconds = Math.floor(expires.getTime() / 1000);
  // Signed is the path as the server sees it.
  const signed = `${method}\n${seconds}\n${decodeURIComponent(url.pathname)}`;
  url.searchParams.set("temp_url_sig", createHmac("sha256", secret).update(signed).digest("hex"));
  url.searchParams.set("temp_url_expires", String(seconds));
  if (name !== undefined) url.searchParams.set("filename", name);
  return url.href;
}
