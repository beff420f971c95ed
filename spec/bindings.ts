import { z } from "zod";
import { environments, SecretName, StackName, targets } from "./names.ts";
import { Stack } from "./stack.ts";

/** A path below the processor's data folder. */
const DataPath = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith("/") && !path.split(/[\\/]/).includes(".."), {
    message: "must be relative to the data folder and stay in it",
  });

/**
 * A secret reaches the processor as a file that only it can read; how the file gets there is the target's matter.
 * An absolute path is a mounted secret, a relative one is below the data folder.
 */
export const SecretBinding = z.strictObject({ driver: z.literal("file"), path: z.string().min(1) });
export type SecretBinding = z.output<typeof SecretBinding>;

const FsStore = z.strictObject({ driver: z.literal("fs"), path: DataPath });

const SwiftStore = z.strictObject({
  driver: z.literal("swift"),
  authUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Keystone v3. Default: what the credential's cloud says."),
  region: z.string().min(1).optional().describe("Default: the cloud's, or the only one."),
  interface: z
    .enum(["public", "internal"])
    .optional()
    .describe("Which of Swift's addresses. Default: the cloud's, or public."),
  container: z
    .string()
    .min(1)
    .max(256)
    .regex(/^[^/]+$/, "must hold no /"),
  credential: SecretBinding.describe(
    "JSON: an application credential (`id`, `secret`), a user (`username`, `password`, `projectName` …) or a `token`; or a clouds.yaml.",
  ),
  cloud: z.string().min(1).optional().describe("The cloud in the clouds.yaml. Default: the only one."),
  ca: z.string().min(1).optional().describe("File with PEM certificates that are trusted besides the public ones."),
  tempUrlKey: SecretBinding.optional().describe(
    "The container's Temp-URL-Key. With it, files go to and from the store without passing through the processor.",
  ),
});

/** Where a store of objects is and how to talk to it. */
export const ObjectStoreBinding = z.discriminatedUnion("driver", [FsStore, SwiftStore]);
export type ObjectStoreBinding = z.output<typeof ObjectStoreBinding>;

/** What a store that tells of its objects is bound with. A full scan finds what it was not told of. */
const told = {
  secret: SecretBinding,
  fullScanSeconds: z.number().int().positive().describe("Time between full scans."),
};

/** How the processor hears of a new object. */
export const EventsBinding = z.discriminatedUnion("driver", [
  z.strictObject({ driver: z.literal("in-process") }).describe("Uploads confirm themselves."),
  z
    .strictObject({
      driver: z.literal("monitor"),
      intervalSeconds: z.number().int().positive().describe("Time between two looks at the folders of these days."),
      fullScanSeconds: z
        .number()
        .int()
        .positive()
        .optional()
        .describe("Time between full scans. Default: ten times what the last one took, and at least the interval."),
    })
    .describe("The input store is listed again and again."),
  z
    .strictObject({ driver: z.literal("webhook"), ...told })
    .describe("The store's proxy tells of each object, signed as Standard Webhooks are."),
  z
    .strictObject({ driver: z.literal("radosgw"), ...told })
    .describe("Ceph's gateway tells of each object; the secret is the password that it sends by HTTP Basic."),
]);
export type EventsBinding = z.output<typeof EventsBinding>;

/** One pipeline stack as the processor runs it: the request, its SQL, and the bindings of its components. */
export const StackConfig = z.strictObject({
  stack: Stack,
  sql: z.record(z.string(), z.string()).describe("The text of each SQL file that the stack names."),
  stores: z.strictObject({
    input: ObjectStoreBinding.describe("Files as received."),
    lake: ObjectStoreBinding.describe("Tables."),
    output: ObjectStoreBinding.describe("What is delivered."),
  }),
  events: EventsBinding,
  secrets: z.record(SecretName, SecretBinding).default({}).describe("Where each secret is that the stack names."),
});
export type StackConfig = z.output<typeof StackConfig>;

const limit = z.number().int().positive().optional();

/** What the API takes of each caller, and of all together. What is not given is as `api/limits.ts` of the processor says. */
export const ApiLimits = z.strictObject({
  requestsPerMinute: limit.describe("Of one token, and of one address where none is asked for."),
  refusalsPerMinute: limit.describe("Wrong tokens of one address that are answered with 401; others are told to wait."),
  uploads: limit.describe("Uploads that are written at the same time; others wait."),
  connections: limit.describe("Connections at the same time; others are told to come back."),
  headerSeconds: limit.describe("Time for the head of a request to arrive."),
  bodySeconds: limit.describe("An upload that brings less than 1 kB a second over this time is cut off."),
});
export type ApiLimits = z.output<typeof ApiLimits>;

/** How much of the audit log is kept. What is not given is as `access/index.ts` of the processor says. */
export const AuditLimits = z.strictObject({
  days: limit,
  changes: limit.describe("Entries about changes, at most."),
  refusals: limit.describe("Entries about refusals, at most."),
});
export type AuditLimits = z.output<typeof AuditLimits>;

/** Who is told of runs as OpenLineage (https://openlineage.io). */
export const LineageBinding = z.discriminatedUnion("driver", [
  z.strictObject({ driver: z.literal("file"), path: DataPath }).describe("A file of NDJSON in the data folder."),
  z
    .strictObject({
      driver: z.literal("http"),
      url: z
        .url({ protocol: /^https?$/ })
        .refine((url) => !/^https?:\/\/[^/?#]*@/i.test(url), "must hold no user and no password; give a token")
        .describe("Takes each event as a POST, such as Marquez' /api/v1/lineage."),
      token: SecretBinding.optional().describe("Bearer token."),
    })
    .describe("An endpoint. Events wait in the data folder until it took them."),
]);
export type LineageBinding = z.output<typeof LineageBinding>;

/** A range of addresses. */
const Range = z.union([z.cidrv4(), z.cidrv6()]);

/** The config that the processor reads: on every target the Pulumi stack output `processor` is this very object. */
export const ProcessorConfig = z.strictObject({
  environment: z.enum(environments),
  target: z.enum(targets),
  api: z.strictObject({
    host: z.string().default("127.0.0.1").describe("Any address but loopback needs a token."),
    port: z.number().int().min(0).max(65_535).default(8080),
    token: SecretBinding.optional().describe("Bearer token asked of every request to /v1."),
    trustedProxies: z
      .array(Range.refine((range) => !range.endsWith("/0"), "must not be everyone's range"))
      .optional()
      .describe("Who is believed in saying for whom it asks, by X-Forwarded-For. Default: nobody."),
    limits: ApiLimits.optional(),
    audit: AuditLimits.optional(),
  }),
  engine: z
    .strictObject({
      memoryBytes: z.number().int().positive().default(1e9),
      tempBytes: z.number().int().positive().default(20e9),
      threads: z.number().int().positive().default(2),
    })
    .prefault({})
    .describe("Limits of one run's SQL engine."),
  allowPrivate: z
    .array(Range)
    .default([])
    .describe("Addresses that are not of the public internet and that sinks may send to all the same."),
  lineage: LineageBinding.optional(),
  stacks: z.record(StackName, StackConfig),
});
export type ProcessorConfig = z.output<typeof ProcessorConfig>;
