import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { CreatedToken, NewToken, Token, Tokens } from "@cais/spec/access.ts";
import { z } from "zod";
import type { Access } from "../access/index.ts";
import { TokenRefused } from "../access/tokens.ts";
import { Sought } from "./parameters.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";

interface Options {
  access: Access;
  stacks: ReadonlyMap<string, unknown>;
  /** Whether the processor has a token of its own. Else everyone may do everything, and others' tokens mean nothing. */
  asksForToken: boolean;
}

/** `/v1/tokens`: who may do what. */
export const tokens: FastifyPluginAsyncZod<Options> = async (app, { access: { tokens }, stacks, asksForToken }) => {
  const config = { action: "admin" } as const;
  const hide = !asksForToken;
  if (!asksForToken)
    app.addHook("onRequest", async () => {
      throw new ApiProblem(
        "access-off",
        "This processor asks for no token, so others would mean nothing: first give it one of its own, in CAIS_TOKEN or its config's api.token.",
      );
    });
  app.addContentTypeParser(
    "application/json",
    { parseAs: "string", bodyLimit: 100_000 },
    app.getDefaultJsonParser("error", "error"),
  );

  app.get(
    "/tokens",
    { config, schema: { hide, summary: "The tokens that were given out", response: { 200: Tokens } } },
    async () => ({ tokens: tokens.list() }),
  );

  app.post(
    "/tokens",
    {
      config: { ...config, change: "token.create" },
      schema: {
        hide,
        summary: "Give out a token",
        body: NewToken,
        response: {
          201: CreatedToken,
          400: problemResponse("The body is not right."),
          409: problemResponse("The token cannot be as it is asked for."),
          413: problemResponse("The body is too large."),
          415: problemResponse("The body is no JSON."),
          507: storageFull,
        },
      },
    },
    async (request, reply) => {
      const asked = request.body;
      if (asked.stacks !== "all")
        for (const stack of asked.stacks)
          if (!stacks.has(stack))
            throw new ApiProblem(
              "token-refused",
              `There is no stack "${stack}" here; there is ${[...stacks.keys()].join(", ")}.`,
            );
      try {
        const created = tokens.create(asked, request.caller.name);
        request.concerns = created.id;
        return await reply.code(201).send(created);
      } catch (error) {
        if (error instanceof TokenRefused) throw new ApiProblem("token-refused", error.message, { cause: error });
        throw error;
      }
    },
  );

  app.delete(
    "/tokens/:id",
    {
      config: { ...config, change: "token.revoke" },
      schema: {
        hide,
        summary: "Take a token back, at once",
        params: z.object({ id: Sought }),
        response: { 200: Token, 404: problemResponse("There is no such token."), 507: storageFull },
      },
    },
    async ({ params: { id } }) => {
      const revoked = tokens.revoke(id);
      if (revoked === undefined)
        throw new ApiProblem("no-such-token", `There is no token "${id}"; GET /v1/tokens lists them.`);
      return revoked;
    },
  );
};
