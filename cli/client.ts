import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Problem } from "@cais/spec/api.ts";
import type { z } from "zod";
import { Failure } from "./failure.ts";
import { defaultDataFolder } from "./root.ts";

/** Where a running `cais start` says its address, inside its data folder. */
export const addressFile = "address";

/** Which processor a command talks to. */
export interface Connection {
  url: string;
  token?: string;
}

/** What the help of every command that asks a processor says of tokens. */
export const tokenHelp = "\nA processor that asks for a token gets the one in the environment variable CAIS_TOKEN.";

/** The processor given by `--url`, by CAIS_URL, or the one that `cais start` runs on this machine. */
export async function connect(url: string | undefined): Promise<Connection> {
  const token = process.env["CAIS_TOKEN"];
  const address = url ?? process.env["CAIS_URL"] ?? (await readAddress()) ?? "http://127.0.0.1:8080";
  if (!/^https?:\/\/[^/]+\/?$/.test(address))
    throw new Failure(`the processor's address must look like http://host:port, not ${address}`, { exitCode: 2 });
  return { url: address.replace(/\/$/, ""), ...(token && { token }) };
}

async function readAddress(): Promise<string | undefined> {
  try {
    return (await readFile(join(defaultDataFolder, addressFile), "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The processor answered, and will not do what was asked. */
export class Refusal extends Failure {
  /** The HTTP status of the answer. */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** Sends a request and returns the answer; a problem or a processor out of reach becomes a `Failure`. */
export async function request({ url, token }: Connection, path: string, init: RequestInit = {}): Promise<Response> {
  if (token && !/^[\x21-\x7e]+$/.test(token))
    throw new Failure("CAIS_TOKEN holds a space, a line break or another character that no token has", { exitCode: 2 });
  const headers = new Headers(init.headers);
  if (token) headers.set("authorization", `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(`${url}${path}`, { ...init, headers });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new Failure(`no processor answers at ${url}; start one with npm start, or name another with --url`, {
      cause,
    });
  }
  if (response.ok) return response;
  if (response.status === 401)
    throw new Failure(
      token
        ? `the processor at ${url} does not know the token in CAIS_TOKEN, or it is expired or revoked; ask for another`
        : `the processor at ${url} asks for a token; put it in the environment variable CAIS_TOKEN`,
    );
  throw new Refusal(
    explain(await response.text()) ?? `${url}${path} answered ${response.status} ${response.statusText}`,
    response.status,
  );
}

/** The sentence of a problem (RFC 9457); undefined when a proxy in between answered something else. */
function explain(body: string): string | undefined {
  const problem = Problem.safeParse(parseJson(body));
  if (!problem.success) return undefined;
  // Who types commands is told the command for what the API tells as an address.
  const detail = problem.data.detail.replace(/GET \/v1\/(\w+) lists them/, (_, noun: string) =>
    noun === "tokens" ? "npx cais token list lists them" : `npx cais ${noun} lists them`,
  );
  return `${problem.data.title}: ${detail}`;
}

/** Sends a request and parses its JSON answer. */
export async function requestJson<Schema extends z.ZodType>(
  connection: Connection,
  path: string,
  schema: Schema,
  init?: RequestInit,
): Promise<z.output<Schema>> {
  return parseAnswer(await request(connection, path, init), schema);
}

/** The JSON of an answer, held to the schema. */
export async function parseAnswer<Schema extends z.ZodType>(
  response: Response,
  schema: Schema,
): Promise<z.output<Schema>> {
  const parsed = schema.safeParse(parseJson(await response.text()));
  if (parsed.success) return parsed.data;
  throw new Failure(
    `${response.url} answered something else than expected; is it a Cais processor of this version? Name another with --url`,
    { cause: parsed.error },
  );
}

/** Undefined when it is not JSON: any other server may listen where a processor was expected. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
