import { Client, DatabaseError } from "pg";
import { DeliveryDelayed, DeliveryRefused } from "../faults.ts";

/** Where a database is, as its address says. */
export interface Address {
  host: string;
  port: number;
  user: string;
  password: string | undefined;
  database: string;
  /** Whether the connection is encrypted and the server's certificate checked; it is not on a Unix socket. */
  tls: boolean;
}

const CONNECT_MS = 15_000;

/**
 * Reads `postgres://user:password@host:5432/database`. TLS is asked for and checked against the host's name unless the
 * address ends with `?sslmode=disable`; `?host=/folder` is a Unix socket. Throws `DeliveryRefused`, which tells nothing of it.
 */
export function readAddress(url: string): Address {
  const form = "postgres://user:password@host:5432/database";
  const parsed = URL.parse(url);
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol))
    throw new DeliveryRefused(`The secret with the database's address must hold ${form}.`);
  const { searchParams } = parsed;
  for (const name of searchParams.keys())
    if (name !== "sslmode" && name !== "host")
      throw new DeliveryRefused(`The database's address has the option ${name}; there is sslmode and host.`);
  const mode = searchParams.get("sslmode") ?? "verify-full";
  if (mode !== "verify-full" && mode !== "disable")
    throw new DeliveryRefused("The database's address has an sslmode that is neither verify-full nor disable.");
  const socket = searchParams.get("host");
  if (socket !== null && !socket.startsWith("/"))
    throw new DeliveryRefused("The option host of the database's address must be the folder of a Unix socket.");
  const database = decode(parsed.pathname.slice(1));
  const user = decode(parsed.username);
  const host = socket ?? parsed.hostname.replace(/^\[(.*)\]$/, "$1");
  if (database === "" || user === "" || host === "")
    throw new DeliveryRefused(`The database's address lacks user, host or database; it must be ${form}.`);
  return {
    host,
    port: parsed.port === "" ? 5432 : Number(parsed.port),
    user,
    password: parsed.password === "" ? undefined : decode(parsed.password),
    database,
    tls: socket === null && mode === "verify-full",
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new DeliveryRefused("A % in the database's address begins no escape; write it as %25.", { cause });
  }
}

/**
 * Connects; `authority` is the certificate of who signed the server's, in PEM, instead of those that Node trusts. When
 * `signal` aborts, the connection is cut, and the server undoes what was not committed.
 */
export async function connect(address: Address, authority: string | undefined, signal: AbortSignal): Promise<Client> {
  const { host, port, user, password, database, tls } = address;
  const client = new Client({
    host,
    port,
    user,
    database,
    // A function, as pg would look for an empty password in the environment and in files.
    password: () => password ?? "",
    ssl: tls && { rejectUnauthorized: true, ...(authority !== undefined && { ca: authority }) },
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    application_name: "cais",
  });
  // A connection that breaks fails what is being asked, which is where it is told.
  client.on("error", () => undefined);
  const cut = () => client.connection.stream.destroy(new Error("The delivery was ended."));
  signal.throwIfAborted();
  signal.addEventListener("abort", cut, { once: true });
  client.once("end", () => signal.removeEventListener("abort", cut));
  try {
    await client.connect();
    return client;
  } catch (error) {
    cut();
    throw faultOf(error, "connect to the database");
  }
}

/** Classes of SQLSTATE that pass by themselves (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const passing = new Map([
  ["08", "the connection broke"],
  ["25", "the transaction was ended"],
  ["40", "another transaction was in the way"],
  ["53", "the server lacks room, memory or connections"],
  ["55", "another session holds a lock"],
  ["57", "the server ends or restarts"],
  ["58", "the server's system failed"],
]);

/** Classes of SQLSTATE whose messages name tables, columns, types, rights and limits, and no more. */
const told = /^(0A|3F|42|54)/;

/** What is told instead of Postgres' own message, which may hold a cell, or a part of the address, which is a secret. */
const untold: [RegExp, string][] = [
  [/^(22|23)/, "it refuses a value"],
  [/^28/, "it refuses the user, the password or where it is called from"],
  [/^3D/, "there is no such database"],
  // Raised by a trigger or function of others (P0, 38, 39), or by a fault of the server, too.
  [/^/, "it refuses it; its own log tells why"],
];

/**
 * What becomes of a delivery in which this was thrown. Postgres' own message is told only where it cannot hold a cell, and
 * its error is no cause, since its details hold cells, too.
 */
export function faultOf(error: unknown, doing: string): DeliveryDelayed | DeliveryRefused {
  if (error instanceof DeliveryDelayed || error instanceof DeliveryRefused) return error;
  if (!(error instanceof DatabaseError) || error.code === undefined) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no answer";
    const certificate = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|TLS/.test(code);
    if (certificate)
      return new DeliveryRefused(
        `Could not ${doing}: its certificate is not trusted (${code}); give the authority that signed it as \`ca\`, and use the name that it is for.`,
        { cause: error },
      );
    if (error instanceof Error && /does not support SSL/.test(error.message))
      return new DeliveryRefused(
        `Could not ${doing}: it offers no TLS; set it up there, or end the address with ?sslmode=disable on a network that you trust.`,
      );
    return new DeliveryDelayed(`Could not ${doing}: it did not answer or broke off (${code}).`, { cause: error });
  }
  const { code } = error;
  const passes = passing.get(code.slice(0, 2));
  if (passes !== undefined) return new DeliveryDelayed(`Could not ${doing}: ${passes} (SQLSTATE ${code}).`);
  const [, line, column] = /COPY \S+, line (\d+)(?:, column ([^:]+))?/.exec(error.where ?? "") ?? [];
  const at = [
    line === undefined ? "" : `, row ${line}`,
    (column ?? error.column) === undefined ? "" : `, column ${column ?? error.column}`,
    error.constraint === undefined ? "" : `, constraint ${error.constraint}`,
  ].join("");
  const why = told.test(code) ? error.message : untold.find(([codes]) => codes.test(code))?.[1];
  return new DeliveryRefused(`Could not ${doing}${at}: ${why} (SQLSTATE ${code}).`);
}
