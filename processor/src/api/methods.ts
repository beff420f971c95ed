import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiProblem } from "./problems.ts";

/**
 * Answers 405 with `Allow` where an address that `register` adds to `app` is asked by a method that it does not have
 * (https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6). The hooks of `app` come first, so the token is asked for.
 */
export async function refuseOtherMethods(app: FastifyInstance, register: () => Promise<void>): Promise<void> {
  const taken = new Map<string, string[]>();
  let registering = true;
  app.addHook("onRoute", ({ routePath, method }) => {
    if (registering) taken.set(routePath, [...(taken.get(routePath) ?? []), ...[method].flat()]);
  });
  await register();
  registering = false;
  for (const [url, methods] of taken) {
    const allow = methods.toSorted().join(", ");
    const refuse = async (request: FastifyRequest, reply: FastifyReply) => {
      reply.header("allow", allow);
      throw new ApiProblem("method-not-allowed", `This address takes ${allow}, but not ${request.method}.`);
    };
    app.route({
      url,
      method: app.supportedMethods.filter((method) => !methods.includes(method)),
      config: { refusesMethods: true },
      schema: { hide: true },
      // Before any body is read; whatever type it says it has, the method is what is wrong.
      onRequest: refuse,
      handler: refuse,
    });
  }
}
