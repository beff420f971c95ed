import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Audit, CreatedToken, Token, Tokens } from "@cais/spec/access.ts";
import { Problem, Runs, Tables, Upload } from "@cais/spec/api.ts";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { startProcessor } from "../main.ts";
import { configOf, engines, salesStack, testFolder } from "../processor-for-tests.ts";

const master = "0123456789abcdef0123456789abcdef";
const csv = "day,amount,note\n2024-01-01,1,x\n";
let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
let secrets: string[] = [];

const start = (options: { token?: string; limits?: object } = {}) => {
  const config = configOf(salesStack(), salesStack({ name: "other" }));
  const { token, limits } = options;
  const api = { host: "127.0.0.1", port: 0, limits: { refusalsPerMinute: 1000, ...limits } };
  const log = pino({ level: "trace" }, pino.destination({ dest: join(folder, "log"), sync: true }));
  return startProcessor(
    { ...config, api },
    { engines, dataFolder: folder, log, ...(token !== undefined && { token }) },
  );
};

beforeAll(async () => {
  folder = await testFolder("api-tokens");
});
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

interface Asked {
  as?: string | undefined;
  method?: string;
  body?: unknown;
  type?: string;
}
/** Asks as the administrator, unless another token is given. */
async function ask(path: string, { as = master, method = "GET", body, type = "application/json" }: Asked = {}) {
  const sent = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(`${processor.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${as}`, ...(body !== undefined && { "content-type": type }) },
    ...(body !== undefined && { body: sent }),
  });
  return { status: response.status, body: await response.text(), headers: response.headers };
}
const json = async <Schema extends z.ZodType>(schema: Schema, path: string, asked?: Asked) =>
  schema.parse(JSON.parse((await ask(path, asked)).body));
const create = async (asked: object): Promise<CreatedToken> => {
  const created = await json(CreatedToken, "/v1/tokens", {
    method: "POST",
    body: { name: crypto.randomUUID(), ...asked },
  });
  secrets.push(created.token.slice(22));
  return created;
};
const send = (stack: string, as?: string, content = csv) =>
  ask(`/v1/stacks/${stack}/files?name=a.csv`, { as, method: "POST", body: content, type: "text/csv" });

describe("with a token of its own, the processor", () => {
  beforeAll(async () => {
    processor = await start({ token: master });
  });

  it("gives out, lists and takes back tokens", async () => {
    const { token, ...created } = await create({ name: "ci", actions: ["read"], stacks: ["sales"] });
    expect(await json(Tokens, "/v1/tokens")).toEqual({ tokens: [created] });
    expect((await ask("/v1/tables", { as: token })).status).toBe(200);
    const revoked = await json(Token, `/v1/tokens/${created.id}`, { method: "DELETE" });
    expect(revoked.state).toBe("revoked");
    const refused = await ask("/v1/tables", { as: token });
    // The same answer as for a token that never was.
    expect(refused.status).toBe(401);
    expect(refused.body).toBe((await ask("/v1/tables", { as: `cais_${"0".repeat(16)}_${"A".repeat(43)}` })).body);
    expect(refused.body).toBe((await ask("/v1/tables", { as: "nonsense" })).body);
    expect(refused.headers.get("www-authenticate")).toBe('Bearer realm="cais"');
  });

  it.each<[string, object | string, number, string]>([
    ["a name that is none", { name: "\u001B[2J" }, 400, "must be 1 to 64 letters"],
    ["an action that is none", { name: "a", actions: ["write"] }, 400, "actions"],
    [
      "a stack that is none",
      { name: "a", stacks: ["sale"] },
      409,
      'There is no stack "sale" here; there is sales, other.',
    ],
    ["an unknown key", { name: "a", scope: "x" }, 400, "scope"],
    ["an end too far ahead", { name: "a", expiresAt: "2999-01-01T00:00:00Z" }, 409, "365 days at most"],
    ["text that is no JSON", "{", 400, ""],
    ["a key that pollutes", '{"__proto__":{"x":1},"name":"a"}', 400, ""],
    ["a body too large", { name: "a".repeat(200_000) }, 413, ""],
  ])("refuses %s", async (_, body, status, detail) => {
    const answer = await ask("/v1/tokens", { method: "POST", body });
    expect(Problem.strict().parse(JSON.parse(answer.body))).toMatchObject({
      status,
      detail: expect.stringContaining(detail),
    });
    expect((await json(Tokens, "/v1/tokens")).tokens.map(({ name }) => name)).not.toContain("a");
  });

  describe("and a token of one stack", () => {
    let limited: CreatedToken;
    let theirs: Upload;
    let mine: Upload;
    beforeAll(async () => {
      limited = await create({ stacks: ["sales"], actions: ["read", "send"] });
      theirs = Upload.parse(JSON.parse((await send("other")).body));
      mine = Upload.parse(JSON.parse((await send("sales", limited.token)).body));
    });

    it("shows its runs and tables alone", async () => {
      const as = limited.token;
      const { tables } = await json(Tables, "/v1/tables", { as });
      expect(new Set(tables.map(({ stack }) => stack))).toEqual(new Set(["sales"]));
      const { stacks } = JSON.parse((await ask("/v1/stacks", { as })).body);
      expect(stacks.map(({ name }: { name: string }) => name)).toEqual(["sales"]);
      expect((await json(Runs, "/v1/runs", { as })).runs.map(({ id }) => id)).toEqual([mine.id]);
      expect((await json(Runs, "/v1/runs")).runs).toHaveLength(2);
      expect((await ask(`/v1/runs/${mine.id}`, { as })).status).toBe(200);
    });

    it("answers for another stack's run as if there were none", async () => {
      const as = limited.token;
      for (const path of [theirs.id, `${theirs.id}/rejected`, `${theirs.id}/file`]) {
        const { status, body } = await ask(`/v1/runs/${path}`, { as });
        const unknown = await ask(`/v1/runs/${path.replace(theirs.id, "x")}`, { as });
        expect(status).toBe(404);
        expect(body).toBe(unknown.body.replaceAll('\\"x\\"', `\\"${theirs.id}\\"`));
      }
      expect((await ask(`/v1/runs?before=${theirs.id}`, { as })).status).toBe(404);
    });

    it("says which stack it is not for, be there one or not", async () => {
      for (const stack of ["other", "nothing"]) {
        const asked: [string, Asked][] = [
          [`/v1/stacks/${stack}/files?name=a.csv`, { method: "POST", body: csv, type: "text/csv" }],
          [`/v1/tables/${stack}/sold`, {}],
          [`/v1/tables/${stack}/sold.csv`, {}],
          [`/v1/runs?stack=${stack}`, {}],
        ];
        for (const [path, options] of asked) {
          const { status, body } = await ask(path, { ...options, as: limited.token });
          expect({ path, status }).toEqual({ path, status: 403 });
          expect(Problem.parse(JSON.parse(body))).toMatchObject({
            type: "urn:cais:problem:not-allowed",
            detail: `The token "${limited.name}" is not for the stack "${stack}"; ask for a token that is.`,
          });
        }
      }
    });

    it("says which action it lacks", async () => {
      const { token, name } = await create({ actions: ["send"] });
      for (const [path, action, method] of [
        ["/v1/runs", "read", "GET"],
        ["/v1/tokens", "admin", "GET"],
        ["/v1/tokens", "admin", "POST"],
        ["/v1/audit", "admin", "GET"],
        ["/v1/gc", "admin", "POST"],
        [`/v1/runs/${mine.id}`, "read", "GET"],
      ] as const)
        expect(Problem.parse(JSON.parse((await ask(path, { as: token, method })).body))).toMatchObject({
          status: 403,
          detail: `The token "${name}" lacks the action ${action}, which this needs; ask for a token with it.`,
        });
      expect((await send("other", token, `${csv}2024-01-02,1,x\n`)).status).toBe(202);
    });
  });

  it("notes who did what on what, and who was refused", async () => {
    const { token, id, name } = await create({ actions: ["send"] });
    const { id: run } = Upload.parse(JSON.parse((await send("sales", token, `${csv}2024-01-03,1,secret-cell\n`)).body));
    await send("nothing", token);
    await ask("/v1/tables/sales/sold", { as: token });
    await ask("/v1/runs/%1b%5b2J", { as: `${token}x` });
    const { entries } = await json(Audit, "/v1/audit?limit=5");
    const common = { from: "127.0.0.1", times: 1, by: name, token: id, at: expect.any(String), id: expect.any(Number) };
    expect(entries).toEqual([
      { ...common, by: null, token: null, what: "read", stack: null, on: "?", status: 401, problem: "token-needed" },
      { ...common, what: "read", stack: "sales", on: null, status: 403, problem: "not-allowed" },
      { ...common, what: "upload", stack: "nothing", on: null, status: 404, problem: "no-such-stack" },
      { ...common, what: "upload", stack: "sales", on: run, status: 202, problem: null },
      {
        ...common,
        by: "administrator",
        token: null,
        what: "token.create",
        stack: null,
        on: id,
        status: 201,
        problem: null,
      },
    ]);
  });

  it("writes no secret and no data, wherever it writes", async () => {
    await ask("/v1/tables", { as: "cais_guessed-secret-of-someone" });
    await processor.stop();
    const [log = "", ...written] = await Promise.all(
      ["log", "access.sqlite"].map((name) => readFile(join(folder, name), "latin1")),
    );
    expect(log).toContain("request answered");
    expect(written.join("")).toContain("token.create");
    expect(secrets.length).toBeGreaterThan(3);
    for (const secret of [...secrets, master, "guessed-secret", "secret-cell"])
      for (const text of [log, ...written]) expect(text.includes(secret)).toBe(false);
    secrets = [];
  });
});

describe("without a token of its own, the processor", () => {
  beforeEach(async () => {
    await processor.stop();
    processor = await start();
  });

  it("says how to turn tokens on", async () => {
    for (const [path, method] of [
      ["/v1/tokens", "GET"],
      ["/v1/tokens", "POST"],
      ["/v1/tokens/x", "DELETE"],
    ] as const)
      expect(Problem.parse(JSON.parse((await ask(path, { method })).body))).toMatchObject({
        type: "urn:cais:problem:access-off",
        status: 409,
        detail: expect.stringContaining("CAIS_TOKEN"),
      });
  });

  it("notes changes as local", async () => {
    await send("sales", "ignored", `${csv}2024-02-01,1,x\n`);
    expect((await json(Audit, "/v1/audit?limit=1")).entries).toMatchObject([
      { by: "local", token: null, what: "upload" },
    ]);
    expect((await ask("/v1/audit?since=yesterday")).status).toBe(400);
    expect((await ask("/v1/audit?since=2999-01-01T00:00:00Z")).body).toBe('{"entries":[],"next":null}');
  });
});

describe("limits", () => {
  it("hold for each token by itself, and say when to go on", async () => {
    await processor.stop();
    processor = await start({ token: master, limits: { requestsPerMinute: 4, refusalsPerMinute: 2 } });
    const [a, b] = [await create({ name: "a" }), await create({ name: "b" })];
    const statuses = [];
    for (let i = 0; i < 6; i++) statuses.push((await ask("/v1/tables", { as: a.token })).status);
    expect(statuses).toEqual([200, 200, 200, 200, 429, 429]);
    const { headers, body } = await ask("/v1/tables", { as: a.token });
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    expect(Problem.parse(JSON.parse(body))).toMatchObject({ type: "urn:cais:problem:too-many-requests", status: 429 });
    expect((await ask("/v1/tables", { as: b.token })).status).toBe(200);
    // Of wrong tokens two are answered; the right one is taken all the same.
    const wrong = [];
    for (let i = 0; i < 4; i++) wrong.push((await ask("/v1/tables", { as: "wrong" })).status);
    expect(wrong).toEqual([401, 401, 429, 429]);
    expect((await ask("/v1/tables", { as: b.token })).status).toBe(200);
    const open = [];
    for (let i = 0; i < 5; i++) open.push((await fetch(`${processor.url}/healthz`)).status);
    expect(open).toEqual([200, 200, 200, 200, 429]);
    const { entries } = await json(Audit, "/v1/audit");
    expect(entries.map(({ by, status, times }) => [by, status, times])).toContainEqual(["a", 429, 3]);
  });
});
