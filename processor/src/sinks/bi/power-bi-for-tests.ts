import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json, text } from "node:stream/consumers";
import { z } from "zod";

/**
 * A stand-in for Power BI's REST API: it holds no code of the real one and was made from public documents alone. It refuses
 * what is over the limits of push datasets, each of which a test of the sink would hit if the sink did not keep it
 * (https://learn.microsoft.com/en-us/power-bi/developer/embedded/push-datasets-limitations). Documented are the limits, 200
 * for rows added and deleted, 202 for a refresh, and 429 with Retry-After for too many rows an hour
 * (https://msdn.microsoft.com/en-us/library/dn950053.aspx). Not documented, and so this server's own guess: that every other
 * rate is a 429 too, that a body over a limit is a 400 (413 if it has too many bytes), the windows (sliding ones), and the
 * codes in error bodies, which have the form of OData: `{ error: { code, message } }`.
 */
export const limits = {
  rowsAPost: 10_000,
  rowsAnHour: 1_000_000,
  postsAMinute: 120,
  /** Once a table holds `largeTable` rows. */
  postsAnHour: 120,
  largeTable: 250_000,
  pending: 5,
  columns: 75,
  rowsATable: 5_000_000,
  characters: 4_000,
};

export interface PowerBi {
  url: string;
  /** Where a push dataset's rows go without a token: the address that the page of Power BI shows for it. */
  pushUrl: string;
  /** The same table by the REST API, which needs a token. */
  restUrl: string;
  /** An application's credential, as the sink is given it. */
  credential: string;
  /** The rows of the table, as they were sent. */
  rows: Record<string, unknown>[];
  /** Each request that was answered: `POST 200`, `DELETE 200`, `POST 429`, `refresh 202`, `token 200`. */
  answers: string[];
  /** Rows that the table holds beside `rows`. */
  others: number;
  /**
   * The next POSTs of rows and refreshes are answered so. `take`: as usual; `cut`: what is asked for is done, but the
   * connection ends without an answer.
   */
  next: ("take" | "cut" | { status: number; retryAfter?: string })[];
  /** Most bytes of a body. */
  maxBytes: number;
  /** Whether rows are kept in `rows`, or only counted in `others`. */
  keeps: boolean;
  /** Until the returned function is called, no POST of rows is answered. */
  hold(): () => void;
  close(): Promise<void>;
}

const dataset = "cfafbeb1-8037-4d0c-896e-a46fb27ff229";
const group = "f089354e-8366-4e18-aea3-4cb4a3a50b48";
/** The dataset, as a stack names it for a refresh. */
export const refreshed = { group, dataset };

const HOUR = 3_600_000;
const MINUTE = 60_000;
const isRow = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
const Rows = z.object({ rows: z.array(z.custom<Record<string, unknown>>(isRow)) });

class Refused extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfter: number | undefined;
  constructor(status: number, code: string, message: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** Starts a dataset with one table on loopback. `now` tells its time in milliseconds. */
export async function startPowerBi(now: () => number): Promise<PowerBi> {
  /** Rows added by each POST of the last hour. */
  let posts: { at: number; rows: number }[] = [];
  let pending = 0;
  let held: Promise<void> | undefined;
  let refreshes: number[] = [];

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const bi: PowerBi = {
    url,
    pushUrl: `${url}/beta/tenant/datasets/${dataset}/rows?key=k%2Bey`,
    restUrl: `${url}/v1.0/myorg/groups/${group}/datasets/${dataset}/tables/Sales/rows`,
    credential: JSON.stringify({ tenant: "tenant", client: "app", secret: "s&cret", authority: url, api: url }),
    rows: [],
    answers: [],
    others: 0,
    next: [],
    maxBytes: 16e6,
    keeps: true,
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return () => {
        held = undefined;
        resolve();
      };
    },
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeAllConnections();
      }),
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", url);
    const kind = pathname.endsWith("/token") ? "token" : pathname.endsWith("/refreshes") ? "refresh" : request.method;
    const send = (status: number, body: unknown, headers: Record<string, string> = {}) => {
      bi.answers.push(`${kind} ${status}`);
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
    };
    try {
      const fault = kind === "POST" || kind === "refresh" ? bi.next.shift() : undefined;
      if (typeof fault === "object") {
        await text(request);
        const retry = fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter };
        return send(fault.status, { error: { code: "Fault", message: "As the test wants it." } }, retry);
      }
      const status = await act(request, pathname, searchParams.get("key"));
      if (fault === "cut") {
        bi.answers.push(`${kind} cut`);
        return void request.socket.destroy();
      }
      if (kind === "token") return send(200, { token_type: "Bearer", expires_in: 3599, access_token: "t0ken" });
      send(status, {});
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const retry = error.retryAfter === undefined ? {} : { "retry-after": String(error.retryAfter) };
      send(error.status, { error: { code: error.code, message: error.message } }, retry);
    }
  }

  /** Does what is asked for and gives the status. */
  async function act(request: IncomingMessage, path: string, key: string | null): Promise<number> {
    const { method } = request;
    if (path === "/tenant/oauth2/v2.0/token") return giveToken(new URLSearchParams(await text(request)));
    const isPush = path === `/beta/tenant/datasets/${dataset}/rows` && method === "POST";
    const isRest = path === `/v1.0/myorg/groups/${group}/datasets/${dataset}/tables/Sales/rows`;
    const isRefresh = path === `/v1.0/myorg/groups/${group}/datasets/${dataset}/refreshes` && method === "POST";
    if (!isPush && !isRest && !isRefresh) throw new Refused(404, "ItemNotFound", "There is no such dataset or table.");
    if (isPush ? key !== "k+ey" : request.headers.authorization !== "Bearer t0ken")
      throw new Refused(isPush ? 401 : 403, "TokenInvalid", "Not allowed.");
    if (isRefresh) return refresh(await json(request));
    if (method === "DELETE") {
      bi.rows.length = 0;
      bi.others = 0;
      return 200;
    }
    if (pending >= limits.pending) throw new Refused(429, "TooManyRequests", "Too many pending requests.", 1);
    pending += 1;
    try {
      const body = await text(request);
      if (Buffer.byteLength(body) > bi.maxBytes) throw new Refused(413, "RequestEntityTooLarge", "Too many bytes.");
      add(body, isPush);
      await held;
    } finally {
      pending -= 1;
    }
    return 200;
  }

  /** Shared capacities take eight a day, and nothing in the body but how to notify. */
  function refresh(body: unknown): number {
    z.strictObject({ notifyOption: z.literal("NoNotification") }).parse(body);
    refreshes = refreshes.filter((at) => at > now() - 24 * HOUR);
    if (refreshes.length >= 8) throw new Refused(400, "InvalidRequest", "Invalid dataset refresh request.");
    refreshes.push(now());
    return 202;
  }

  function add(body: string, isPush: boolean): void {
    const value: unknown = JSON.parse(body);
    const { rows } = Rows.parse(isPush && Array.isArray(value) ? { rows: value } : value);
    const at = now();
    posts = posts.filter((post) => post.at > at - HOUR);
    const stored = bi.rows.length + bi.others;
    const window = stored >= limits.largeTable ? HOUR : MINUTE;
    const recent = posts.filter((post) => post.at > at - window);
    const most = stored >= limits.largeTable ? limits.postsAnHour : limits.postsAMinute;
    if (recent.length >= most)
      throw new Refused(429, "TooManyRequests", "Too many requests.", seconds(recent.at(-most)?.at, window, at));
    const added = posts.reduce((sum, post) => sum + post.rows, 0);
    if (added + rows.length > limits.rowsAnHour)
      throw new Refused(
        429,
        "RowsPerHour",
        "You are over your rows per hour limit for this dataset. To push more rows per hour, upgrade your account to Power BI Pro or retry your push later.",
        seconds(posts[0]?.at, HOUR, at),
      );
    if (rows.length > limits.rowsAPost) throw new Refused(400, "TooManyRows", "More than 10,000 rows.");
    if (stored + rows.length > limits.rowsATable) throw new Refused(400, "TableFull", "More than 5,000,000 rows.");
    for (const row of rows) {
      if (Object.keys(row).length > limits.columns) throw new Refused(400, "TooManyColumns", "More than 75 columns.");
      for (const cell of Object.values(row))
        if (typeof cell === "string" && cell.length > limits.characters)
          throw new Refused(400, "TooLong", "More than 4,000 characters.");
    }
    posts.push({ at, rows: rows.length });
    if (bi.keeps) for (const row of rows) bi.rows.push(row);
    else bi.others += rows.length;
  }

  return bi;
}

/** Whole seconds until what happened at `at` leaves its window. */
const seconds = (at: number | undefined, window: number, now: number) =>
  Math.max(1, Math.ceil(((at ?? now) + window - now) / 1000));

function giveToken(form: URLSearchParams): number {
  const asked = Object.fromEntries(form);
  const right =
    asked["grant_type"] === "client_credentials" &&
    asked["client_id"] === "app" &&
    asked["client_secret"] === "s&cret" &&
    asked["scope"] === "https://analysis.windows.net/powerbi/api/.default";
  if (!right) throw new Refused(401, "invalid_client", "Wrong credential.");
  return 200;
}
