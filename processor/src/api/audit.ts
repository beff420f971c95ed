import type { FastifyInstance } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { Audit } from "@cais/spec/access.ts";
import { z } from "zod";
import { isRefusal, type NewEntry } from "../access/audit.ts";
import { type Access, nobody } from "../access/index.ts";
import type { Ledger } from "../ledger/index.ts";
import { addressOf } from "./address.ts";
import { Named } from "./guard.ts";
import { wholeNumber } from "./parameters.ts";

/** Notes every change that a route of `app` was asked for, and every refusal, before it is answered. */
export function noteChanges(app: FastifyInstance, { audit }: Access, ledger: Pick<Ledger, "run">): void {
  app.addHook("onSend", async (request, reply) => {
    const { action, change } = request.routeOptions.config;
    if (change === undefined && !isRefusal(reply.statusCode)) return;
    const { caller, concerns, problem } = request;
    const { stack, id } = Named.parse(request.params);
    const isKnown = caller !== nobody;
    let entry: NewEntry | undefined;
    try {
      const run = isKnown && stack === undefined && id !== undefined ? await ledger.run(id) : undefined;
      entry = {
        by: isKnown ? caller.name : null,
        token: caller.token,
        from: addressOf(request),
        what: change ?? action ?? "request",
        stack: nameOf(stack ?? run?.stack),
        on: nameOf(concerns ?? id),
        status: reply.statusCode,
        problem,
      };
      await audit.note(entry);
    } catch (error) {
      // What was done is done: an error would have it sent again. Then this log is all that tells of it.
      request.log.error({ err: error, entry }, "audit log not written");
    }
  });
}

/** An address holds anyone's text, which the log and its readers are spared; nothing that exists is called so. */
const nameOf = (text: string | undefined) => (text === undefined || /^[\w-]{1,64}$/.test(text) ? (text ?? null) : "?");

/** `GET /v1/audit`: who did what. */
export const audit: FastifyPluginAsyncZod<{ access: Access }> = async (app, { access }) => {
  app.get(
    "/audit",
    {
      config: { action: "admin" },
      schema: {
        summary: "Who did what, newest first",
        querystring: z.object({
          since: z.iso.datetime("must be a time such as 2026-01-31T12:00:00Z").optional(),
          limit: wholeNumber(1, 1000).default(100),
          before: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional().describe("`next` of the page before."),
        }),
        response: { 200: Audit },
      },
    },
    async ({ query: { since, limit, before } }) =>
      access.audit.page({
        limit,
        ...(since !== undefined && { since: new Date(since).toISOString() }),
        ...(before !== undefined && { before }),
      }),
  );
};
