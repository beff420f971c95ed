import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ObjectKey } from "@cais/spec/names.ts";
import { z } from "zod";
import type { Monitor } from "../events/monitor.ts";
import type { Teller, TellingDriver } from "../events/teller.ts";
import type { Metrics } from "../metrics/index.ts";
import { ApiProblem, problemResponse } from "./problems.ts";

export interface EventsOptions {
  tellers: Record<TellingDriver, Teller[]>;
  /** By stack; empty until the processor has started. */
  monitors: ReadonlyMap<string, Pick<Monitor, "announce">>;
  metrics: Pick<Metrics, "announced">;
  /** Counts a request that is refused; throws if there were too many. */
  onRefused: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
}

/** An object that someone tells of. */
interface Told {
  /** Container or bucket. */
  store: string;
  key: string;
}

/** The largest event: a key has 1,024 bytes at most, and metadata 4,096. */
const MAX_BYTES = 256_000;
const RETRY_SECONDS = 10;
/** Stores that no stack reads, of which the log tells once. */
const FOREIGN = 100;

/** As `operators/swift-webhook` sends it. What else happens to objects is taken and left alone. */
const Webhook = z
  .looseObject({
    type: z.string(),
    data: z.looseObject({ container: z.string(), object: z.string() }),
  })
  .transform(({ type, data }): Told[] =>
    type === "object.created" ? [{ store: data.container, key: data.object }] : [],
  );

/** As radosgw sends it: https://docs.ceph.com/en/latest/radosgw/notifications/#events */
const Notification = z
  .looseObject({
    Records: z
      .array(
        z.looseObject({
          eventName: z.string(),
          s3: z.looseObject({
            bucket: z.looseObject({ name: z.string() }),
            object: z.looseObject({ key: z.string() }),
          }),
        }),
      )
      .max(1000),
  })
  .transform(({ Records }): Told[] =>
    Records.filter(({ eventName }) => /^(s3:)?ObjectCreated:/.test(eventName)).map(({ s3 }) => ({
      store: s3.bucket.name,
      key: s3.object.key,
    })),
  );

const routes = {
  webhook: { body: Webhook, how: "Signed as Standard Webhooks are, by who has the secret of the stack's events." },
  radosgw: { body: Notification, how: "With the secret of the stack's events as the password of HTTP Basic." },
} as const;

/**
 * `POST /events/webhook` and `/events/radosgw`, if a stack has such events: a store tells of its new objects. What is told
 * is looked up in the store and claimed once, so a message may come twice, late, or never. Answered before that: what
 * waits in memory is found again by the scan at the next start.
 */
export const events: FastifyPluginAsyncZod<EventsOptions> = async (app, options) => {
  const { tellers, monitors, metrics, onRefused } = options;
  const foreign = new Set<string>();
  // Signed are the bytes as they came.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: MAX_BYTES }, (_request, body, done) =>
    done(null, body),
  );
  for (const driver of ["webhook", "radosgw"] as const) {
    if (tellers[driver].length === 0) continue;
    const asked = new WeakMap<FastifyRequest, Teller[]>();
    app.post(
      `/events/${driver}`,
      {
        // Who has the secret is not held up by a limit, which would only send all of it again.
        config: { rateLimit: false },
        schema: {
          summary: "Tell of new objects in an input store",
          description: `For the store's ${driver === "webhook" ? "proxy" : "gateway"}. ${routes[driver].how}`,
          body: routes[driver].body,
          response: {
            204: z.null().describe("Taken, be it of interest or not."),
            400: problemResponse("The body is no such event."),
            401: problemResponse("The secret is missing or wrong, or the clocks differ by more than five minutes."),
            403: problemResponse("The request is for another host name."),
            413: problemResponse("The body is too large."),
            429: problemResponse("There were too many refused requests."),
            503: problemResponse("The processor is starting; try again later."),
          },
        },
        async preValidation(request, reply) {
          const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
          // Anyone may send 256 kB to be hashed: once for each secret, and not for each stack.
          const all = new Set(tellers[driver].map(({ knows }) => knows));
          const right = new Set([...all].filter((knows) => knows({ headers: request.headers, body })));
          const known = tellers[driver].filter(({ knows }) => right.has(knows));
          if (known.length === 0) {
            await onRefused(request, reply);
            if (driver === "radosgw") reply.header("www-authenticate", 'Basic realm="cais"');
            throw new ApiProblem("signature-needed", `${routes[driver].how} This was not, or more than 5 minutes ago.`);
          }
          asked.set(request, known);
          // The schema is asked next.
          Object.assign(request, { body: jsonOf(body) });
        },
      },
      async (request, reply) => {
        for (const { store, key } of request.body) {
          const teller = asked.get(request)?.find((other) => other.store === store);
          if (teller === undefined) {
            if (foreign.size < FOREIGN && !foreign.has(store)) {
              request.log.warn({ store }, "an event tells of a store that no stack with this secret reads");
              foreign.add(store);
            }
          } else if (ObjectKey.safeParse(key).success) {
            const monitor = monitors.get(teller.stack);
            if (monitor === undefined) {
              reply.header("retry-after", RETRY_SECONDS);
              throw new ApiProblem("overloaded", `The processor is starting; send it again in ${RETRY_SECONDS} s.`);
            }
            // However much one stack is told, its sender goes on: it tells of other stacks' objects, too.
            monitor.announce(key);
            metrics.announced(teller.stack, 1);
          } else
            request.log.warn(
              { stack: teller.stack },
              "an event tells of an object whose name is no key, which is never taken",
            );
        }
        return reply.code(204).send(null);
      },
    );
  }
};

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new ApiProblem("bad-request", "The body is no JSON.", { cause });
  }
}
