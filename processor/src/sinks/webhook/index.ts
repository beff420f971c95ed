import type { SinkOptions } from "@cais/spec/sinks.ts";
import type { Addresses } from "../address.ts";
import { DeliveryDelayed, DeliveryRefused } from "../faults.ts";
import type { SinkPart } from "../index.ts";
import { retryAfter, send } from "../request.ts";
import { eventOf } from "./event.ts";
import { keyOf, signed } from "./signature.ts";

/** The schedule of Standard Webhooks: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. */
const retrySeconds = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];

/** Standard Webhooks asks receivers to answer at once and work later. */
const ANSWER_SECONDS = 20;

/** A sink that tells an address of runs that ended, signed as Standard Webhooks are. */
export function webhookSink(options: SinkOptions<"webhook">, addresses: Addresses, now = () => new Date()): SinkPart {
  const { url, secret: key, on } = options;
  const name = `The address in the secret "${url.secret}"`;
  return {
    name: url.secret,
    delivers: { endings: on },
    direct: false,
    // Standard Webhooks promises no order, and what one receiver of many cannot take is no reason to hold the others back.
    anyOrder: true,
    canDouble: "an attempt whose answer was lost is made again, with the same webhook-id",
    retrySeconds,
    async deliver(payload, { id, signal, secret }) {
      if (!("event" in payload)) throw new Error("A webhook is given an event.");
      const body = eventOf(payload.event);
      const headers = {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(body)),
        "user-agent": "cais",
        ...signed(keyOf(await secret(key.secret), key.secret), { id, at: now(), body }),
      };
      const asked = { method: "POST", headers, body, signal, seconds: ANSWER_SECONDS, name } as const;
      const { status, headers: answered } = await send(addresses, await secret(url.secret), asked);
      if (status >= 200 && status < 300) return { location: `the address in the secret ${url.secret}` };
      if (status === 410)
        throw new DeliveryRefused(`${name} answered 410: it wants no more of this; take the sink out of the stack.`);
      const redirects =
        status >= 300 && status < 400 ? ", and redirects are not followed; give the address it leads to" : "";
      throw new DeliveryDelayed(`${name} answered ${status}${redirects}.`, { afterSeconds: retryAfter(answered) });
    },
  };
}
