import { relative, sep } from "node:path";
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import helmet from "@fastify/helmet";
import fastifyStatic from "@fastify/static";
import swagger from "@fastify/swagger";
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import type { Logger } from "pino";
import type { ProcessorConfig } from "@cais/spec/bindings.ts";
import type { Monitor } from "../events/monitor.ts";
import type { Teller, TellingDriver } from "../events/teller.ts";
import type { Ledger } from "../ledger/index.ts";
import type { Metrics } from "../metrics/index.ts";
import type { Queries } from "../query/index.ts";
import type { Runner } from "../runs/index.ts";
import type { OpenStack } from "../runs/stack.ts";
import type { Sync } from "../sync/index.ts";
import type { TableReader } from "../tables/index.ts";
import type { Tracing } from "../tracing/index.ts";
import { deliveries } from "./deliveries.ts";
import { events } from "./events.ts";
import { files } from "./files.ts";
import { gc } from "./gc.ts";
import { type Access, nobody } from "../access/index.ts";
import { audit, noteChanges } from "./audit.ts";
import { askWho, refuseForeignPages } from "./guard.ts";
import { health, refuseWhenStopping } from "./health.ts";
import { lineage } from "./lineage.ts";
import { limitRequests, limitsOf } from "./limits.ts";
import { answerLast, limitLoad, serverLimits } from "./load.ts";
import { refuseOtherMethods } from "./methods.ts";
import { observeRequests, requestId } from "./observe.ts";
import { answerWithProblems, problemOf, sendProblem, withSharedProblems } from "./problems.ts";
import { answerToNoRequest, askForHost, bareHeaders, refuseExpectations } from "./protocol.ts";
import { query } from "./query.ts";
import { rejected } from "./rejected.ts";
import { replays } from "./replays.ts";
import { reruns } from "./reruns.ts";
import { runs } from "./runs.ts";
import { fileBody } from "./sent-file.ts";
import { sinks } from "./sinks.ts";
import { tables } from "./tables.ts";
import { tempUrls } from "./temp-urls.ts";
import { tokens } from "./tokens.ts";
import { upkeep } from "./upkeep.ts";
import { uploads } from "./uploads.ts";

/** What the API speaks for. */
export interface Processor {
  config: ProcessorConfig;
  stacks: ReadonlyMap<string, OpenStack>;
  ledger: Ledger;
  runner: Runner;
  /** By stack, of those that have one; empty until the processor has started. */
  monitors: ReadonlyMap<string, Monitor>;
  tellers: Record<TellingDriver, Teller[]>;
  tables: TableReader;
  queries: Queries;
  metrics: Metrics;
  tracing: Tracing;
  access: Access;
  /** How it is with the machine, where it is one that tells. */
  sync: (() => Promise<Sync>) | undefined;
  isStopping: () => boolean;
  /** Room on the data folder's disk, and how much of it there must be to be ready. */
  freeBytes: () => Promise<number>;
  minFreeBytes: number;
}

export interface ApiOptions {
  processor: Processor;
  log: Logger;
  token: string | undefined;
  /** Folder of the built page. */
  pageFolder: string | undefined;
}

/** A connection on which nothing moves is closed; a slow upload is not. */
const IDLE_MS = 120_000;

export async function makeApi({ processor, log, token, pageFolder }: ApiOptions): Promise<FastifyInstance> {
  const logger: FastifyBaseLogger = log;
  const { access, config, ledger, stacks } = processor;
  const origins = [...new Set([...stacks.values()].flatMap(({ input }) => input.tempUrlOrigin ?? []))];
  const asksForToken = token !== undefined;
  const limits = limitsOf(config.api.limits, asksForToken);
  const app = fastify({
    loggerInstance: logger,
    genReqId: requestId,
    logController: new LogController({ disableRequestLogging: true }),
    connectionTimeout: IDLE_MS,
    forceCloseConnections: "idle",
    // The framework's own answer would be no problem; see refuseWhenStopping.
    return503OnClosing: false,
    trustProxy: config.api.trustedProxies ?? false,
    http: { requireHostHeader: false, ...serverLimits(limits) },
    routerOptions: { maxParamLength: 200 },
    // These two fail before there is a request to answer to.
    frameworkErrors: (error, _request, reply) =>
      sendProblem(reply.headers(bareHeaders), problemOf("bad-request", error.message)),
    clientErrorHandler(error, socket) {
      answer(socket, answerToNoRequest(error));
      log.debug({ err: error }, "bad request");
    },
  });
  const answer = answerLast(app);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerWithProblems(app);
  observeRequests(app, processor);
  // No address takes JSON or text as such: what is sent is a file.
  app.removeAllContentTypeParsers();
  refuseExpectations(app.server);
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        // The page puts large files there.
        ...(origins.length > 0 && { connectSrc: ["'self'", ...origins] }),
        // The page's components set inline styles.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", "data:"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    // Whether the name is served by TLS is known to who serves it, not here.
    strictTransportSecurity: false,
  });
  app.decorateRequest("concerns", null);
  app.decorateRequest("problem", null);
  app.decorateRequest("caller");
  app.addHook("onRequest", async (request) => void (request.caller = nobody));
  noteChanges(app, access, ledger);
  limitLoad(app, limits);
  askForHost(app);
  refuseWhenStopping(app, processor);
  if (!asksForToken) refuseForeignPages(app);
  const onRefused = await limitRequests(app, limits);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Cais processor", version: "1", description: "Takes files, runs pipeline stacks, gives tables." },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    },
    transform(route) {
      const rules = { token: asksForToken, counted: limits.requestsPerMinute !== undefined };
      const schema = withSharedProblems(route.schema, route.route.config ?? {}, rules);
      const described = jsonSchemaTransform({ ...route, schema });
      return route.url.endsWith("/files") || route.url.endsWith("/replays")
        ? { ...described, schema: { ...described.schema, body: fileBody } }
        : described;
    },
  });
  await app.register(async (open) =>
    refuseOtherMethods(open, async () => void (await open.register(health, processor))),
  );
  await app.register(
    async (told) =>
      refuseOtherMethods(told, async () => void (await told.register(events, { ...processor, onRefused }))),
    { prefix: "/v1" },
  );
  await app.register(
    async (v1) => {
      askWho(v1, { token, access, ledger, onRefused });
      v1.addHook("onRoute", (route) => {
        if (route.schema !== undefined && asksForToken) route.schema.security = [{ token: [] }];
      });
      // A table or run may change at any time.
      v1.addHook("onSend", async (_request, reply) => void reply.header("cache-control", "no-store"));
      await refuseOtherMethods(v1, async () => {
        await v1.register(runs, processor);
        await v1.register(files, processor);
        await v1.register(rejected, processor);
        await v1.register(replays, processor);
        await v1.register(reruns, processor);
        await v1.register(deliveries, processor);
        await v1.register(lineage, processor);
        await v1.register(sinks, processor);
        await v1.register(gc, processor);
        await v1.register(upkeep, processor);
        await v1.register(tables, processor);
        await v1.register(query, processor);
        await v1.register(uploads, processor);
        await v1.register(tempUrls, processor);
        await v1.register(tokens, { access, stacks, asksForToken });
        await v1.register(audit, { access });
      });
    },
    { prefix: "/v1" },
  );
  if (pageFolder !== undefined)
    await app.register(fastifyStatic, {
      root: pageFolder,
      setHeaders(reply, path) {
        // The build names everything but the page itself by its content.
        const forever = relative(pageFolder, path).startsWith(`assets${sep}`);
        reply.header("cache-control", forever ? "public, max-age=31536000, immutable" : "no-cache");
      },
      cacheControl: false,
    });
  return app;
}
