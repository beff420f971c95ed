import { z } from "zod";
import type { Addresses } from "../address.ts";
import { DeliveryDelayed, DeliveryRefused } from "../faults.ts";
import { type Answer, retryAfter, send } from "../request.ts";

/** An application of Microsoft Entra that may write to the workspace; a secret holds it as JSON. */
const Credential = z.strictObject({
  tenant: z.string().min(1),
  client: z.string().min(1),
  secret: z.string().min(1),
  /** Where it gets its token. */
  authority: z.url().default("https://login.microsoftonline.com"),
  /** Where datasets are refreshed; the national clouds have others. */
  api: z.url().default("https://api.powerbi.com"),
});
export type Credential = z.output<typeof Credential>;

const ANSWER_SECONDS = 100;

/** How long nothing is sent after a 429 that does not say. */
const PAUSE_SECONDS = 60;

/** Where rows go: the dataset and the table in it, which is unnamed in the address with a key. */
export interface Target {
  url: string;
  dataset: string;
  table: string;
  hasKey: boolean;
}

/** Reads the address of a push dataset's rows. Throws `DeliveryRefused`, which does not tell it. */
export function readTarget(url: string, name: string): Target {
  const parsed = URL.parse(url);
  const [, dataset, table = ""] = /\/datasets\/([^/]+)(?:\/tables\/([^/]+))?\/rows$/.exec(parsed?.pathname ?? "") ?? [];
  if (parsed === null || dataset === undefined)
    throw new DeliveryRefused(
      `${name} must hold the address of a push dataset's rows: …/datasets/<id>/rows?key=…, or …/datasets/<id>/tables/<table>/rows.`,
    );
  return { url, dataset: `${parsed.host}/${dataset}`, table, hasKey: parsed.searchParams.has("key") };
}

/** Reads an application's credential. Throws `DeliveryRefused`, which tells nothing of it. */
export function readCredential(text: string, name: string): Credential {
  try {
    return Credential.parse(JSON.parse(text));
  } catch {
    // The cause would tell the secret's text.
    throw new DeliveryRefused(`${name} must hold JSON with tenant, client and secret.`);
  }
}

/** What a request to Power BI is made with. */
export interface Caller {
  addresses: Addresses;
  signal: AbortSignal;
}

/** Gets a token by the client credentials grant (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow). */
export async function getToken({ addresses, signal }: Caller, credential: Credential): Promise<string> {
  const { authority, tenant, client, secret } = credential;
  const body = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: client,
    client_secret: secret,
    scope: "https://analysis.windows.net/powerbi/api/.default",
  }).toString();
  const answer = await send(addresses, `${authority}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`, {
    method: "POST",
    headers: headersOf("application/x-www-form-urlencoded", body),
    body,
    signal,
    seconds: ANSWER_SECONDS,
    name: "The authority that gives tokens",
  });
  if (answer.status >= 500 || answer.status === 429) throw later(answer, "The authority that gives tokens");
  const token = Token.safeParse(parsedOf(answer.text));
  if (answer.status !== 200 || !token.success)
    throw new DeliveryRefused(
      `The authority gives the application no token (${codeOf(answer)}); check tenant, client and secret.`,
    );
  return token.data.access_token;
}

const Token = z.object({ access_token: z.string().min(1) });

/** Adds rows, each JSON already. */
export const postRows = ({ addresses, signal }: Caller, { url }: Target, rows: string[], token: string | undefined) => {
  const body = `{"rows":[${rows.join(",")}]}`;
  const headers = { ...headersOf("application/json", body), ...authorized(token) };
  return send(addresses, url, { method: "POST", headers, body, signal, seconds: ANSWER_SECONDS, name: "Power BI" });
};

/** Deletes all rows of a table. */
export const deleteRows = ({ addresses, signal }: Caller, { url }: Target, token: string | undefined) =>
  send(addresses, url, {
    method: "DELETE",
    headers: authorized(token),
    signal,
    seconds: ANSWER_SECONDS,
    name: "Power BI",
  });

/** Asks for a refresh. An application is sent no mail. */
export function refreshDataset(
  { addresses, signal }: Caller,
  { api }: Credential,
  { group, dataset }: { group?: string | undefined; dataset: string },
  token: string,
): Promise<Answer> {
  const body = JSON.stringify({ notifyOption: "NoNotification" });
  const workspace = group === undefined ? "" : `/groups/${group}`;
  return send(addresses, `${api}/v1.0/myorg${workspace}/datasets/${dataset}/refreshes`, {
    method: "POST",
    headers: { ...headersOf("application/json", body), ...authorized(token) },
    body,
    signal,
    seconds: ANSWER_SECONDS,
    name: "Power BI",
  });
}

/** What becomes of a delivery that got such an answer, which is none of success. */
export function faultOf(answer: Answer): DeliveryDelayed | DeliveryRefused {
  const { status } = answer;
  if (status === 429 || status === 408 || status >= 500) return later(answer, "Power BI");
  const hint =
    status === 401 || status === 403
      ? "check the key, or the application's rights in the workspace"
      : status === 404
        ? "check the address: is there such a dataset and table?"
        : "compare the columns' names and types with the dataset's";
  return new DeliveryRefused(`Power BI refuses it (${codeOf(answer)}); ${hint}.`);
}

/** Seconds for which Power BI asks for nothing more. */
export const pauseOf = ({ headers }: Answer) => retryAfter(headers) || PAUSE_SECONDS;

const later = (answer: Answer, name: string) =>
  new DeliveryDelayed(`${name} answered ${codeOf(answer)}.`, { afterSeconds: retryAfter(answer.headers) });

/** The status, and the error's code where it is one: its message may hold a cell. */
function codeOf({ status, text }: Answer): string {
  const code = Failure.safeParse(parsedOf(text)).data?.error;
  const told = typeof code === "string" ? code : code?.code;
  return told !== undefined && /^[\w.]{1,64}$/.test(told) ? `${status} ${told}` : String(status);
}

/** OData's form, and OAuth's. */
const Failure = z.object({ error: z.union([z.string(), z.object({ code: z.string() })]) });

function parsedOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const authorized = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

const headersOf = (type: string, body: string) => ({
  "content-type": type,
  "content-length": String(Buffer.byteLength(body)),
  "user-agent": "cais",
});
