import { createHmac } from "node:crypto";
import { DeliveryRefused } from "../faults.ts";

/**
 * The headers of a message as Standard Webhooks signs it: the receiver checks the signature, refuses a time that is more
 * than five minutes off, and takes each id once (https://www.standardwebhooks.com, spec/standard-webhooks.md).
 */
export function signed(key: Uint8Array, { id, at, body }: { id: string; at: Date; body: string }) {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

/** The bytes of a signing secret: `whsec_` and 24 to 64 bytes in base64. Throws `DeliveryRefused`, which does not tell it. */
export function keyOf(secret: string, name: string): Uint8Array {
  const [, text] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const key = Buffer.from(text ?? "", "base64");
  if (text === undefined || key.length < 24 || key.length > 64)
    throw new DeliveryRefused(
      `The secret "${name}" must be whsec_ and 24 to 64 bytes in base64; make one with: echo "whsec_$(openssl rand -base64 32)"`,
    );
  return key;
}
