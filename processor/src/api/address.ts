import { isIP } from "node:net";
import type { FastifyRequest } from "fastify";

/**
 * The address that a request comes from: the connection's, or what the trusted proxy there says (X-Forwarded-For). What a
 * proxy says may be any text, and only an address is believed.
 */
export const addressOf = ({ ip, socket }: Pick<FastifyRequest, "ip" | "socket">): string =>
  isIP(ip) === 0 ? (socket.remoteAddress ?? "") : ip;
