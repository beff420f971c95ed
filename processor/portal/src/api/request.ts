import type { Problem, Run } from "@cais/spec/api.ts";
import { askForToken, storedToken } from "../token/token.ts";

/** The API refused a request and said why. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** The address of an API path, relative to the page: both may be below a path of a reverse proxy. */
export const address = (path: string) => new URL(path, document.baseURI).href;

/** The header that carries a token, if there is one. */
export const authorization = (token: string | null): Record<string, string> =>
  token === null ? {} : { Authorization: `Bearer ${token}` };

const isProblem = (value: unknown): value is Problem =>
  typeof value === "object" && value !== null && "title" in value && "detail" in value && "status" in value;

/** What an answer that is not 2xx means. Asks for a token where one is missing. A gateway's answer may be no problem document. */
export function refusal(status: number, statusText: string, body: string, token: string | null): Refused {
  if (status === 401) askForToken(token);
  let problem: unknown;
  try {
    problem = JSON.parse(body);
  } catch {
    problem = null;
  }
  if (isProblem(problem)) return new Refused(problem);
  return new Refused({
    type: "about:blank",
    title: statusText || `HTTP ${status}`,
    status,
    detail: body.slice(0, 300),
  });
}

/** Asks the API. Throws `Refused` when the answer is not 2xx. */
export async function request(path: string, signal?: AbortSignal, method = "GET"): Promise<Response> {
  const token = storedToken();
  const response = await fetch(address(path), { method, headers: authorization(token), signal: signal ?? null });
  if (!response.ok) throw refusal(response.status, response.statusText, await response.text(), token);
  return response;
}

/** Asks the API to queue a run, and gives it. Throws as `request` does. */
export const postForRun = async (path: string): Promise<Run> => (await request(path, undefined, "POST")).json();
