import { join } from "node:path";
import { AuditEntry, CreatedToken, Tokens } from "@cais/spec/access.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { cais, scratch, start, type Started, sweep } from "../tests/start.ts";

const master = "0123456789abcdef0123456789abcdef";
const sample = join(import.meta.dirname, "..", "stacks", "inmet", "sample.csv");
let data: string;
let processor: Started;
beforeAll(async () => {
  data = await scratch("token");
  processor = await start(data, [], { CAIS_TOKEN: master });
}, 60_000);
afterAll(async () => {
  await processor?.stop();
  await sweep(data);
});

const run = (args: string[], token = master) => cais([...args, "--url", processor.url], { CAIS_TOKEN: token });

it("gives out a token that does what it is for, and takes it back", { timeout: 60_000 }, async () => {
  const created = await run(["token", "create", "--name", "station", "--stack", "inmet", "--action", "send"]);
  expect(created.code).toBe(0);
  // The token alone is what a script reads.
  const token = created.stdout.trimEnd();
  expect(token).toMatch(/^cais_[0-9a-f]{16}_[\w-]{43}$/);
  expect(created.stderr).toContain("station  send  inmet  until ");
  expect(created.stderr).toContain("Keep it now, it is not shown again:");

  const sent = await run(["ingest", "inmet", sample], token);
  expect({ code: sent.code, stderr: sent.stderr }).toEqual({ code: 0, stderr: "" });
  expect((await run(["runs"], token)).stderr).toBe(
    'cais: Forbidden: The token "station" lacks the action read, which this needs; ask for a token with it.\n',
  );

  const { tokens } = Tokens.parse(JSON.parse((await run(["token", "list", "--json"])).stdout));
  const [station] = tokens;
  expect(station).toMatchObject({ name: "station", state: "active", stacks: ["inmet"], actions: ["send"] });
  expect((await run(["token", "revoke", station?.id ?? ""])).stdout).toContain("  revoked  ");
  const refused = await run(["ingest", "inmet", sample], token);
  expect(refused).toMatchObject({
    code: 1,
    stderr: `cais: the processor at ${processor.url} does not know the token in CAIS_TOKEN, or it is expired or revoked; ask for another\n`,
  });

  const audit = await run(["audit", "--limit", "4"]);
  expect(
    audit.stdout.split("\n").map((line) =>
      line
        .split("  ")
        .slice(1)
        .join("  ")
        .replace(/\d{8}T\S+|[0-9a-f]{16}/i, "ID"),
    ),
  ).toEqual([
    "unknown  127.0.0.1  upload  inmet  401 token-needed",
    "administrator  127.0.0.1  token.revoke  ID  200",
    "station  127.0.0.1  read  403 not-allowed",
    "station  127.0.0.1  upload  inmet ID  202",
    "",
  ]);
  const lines = (await run(["audit", "--since", "2026-01-01", "--json"])).stdout.trimEnd().split("\n");
  expect(lines.map((line) => AuditEntry.parse(JSON.parse(line)).what)).toContain("token.create");
});

async function daysOf(expires: string): Promise<number | null> {
  const { stdout, stderr } = await run(["token", "create", "--name", `for ${expires}`, "--expires", expires, "--json"]);
  expect(stderr).toBe("");
  const { createdAt, expiresAt } = CreatedToken.parse(JSON.parse(stdout));
  return expiresAt === null ? null : (Date.parse(expiresAt) - Date.parse(createdAt)) / 86_400_000;
}

it("asks for as long a life as is said", { timeout: 60_000 }, async () => {
  // The command asks a moment before the processor writes when it was made.
  expect(await daysOf("12h")).toBeCloseTo(0.5, 2);
  expect(await daysOf("30d")).toBeCloseTo(30, 2);
  expect(await daysOf("never")).toBeNull();
});

it.each([
  [["token", "create"], "cais: required option '--name <name>' not specified"],
  [["token", "create", "--name", "x", "--expires", "soon"], "must be days or hours such as 30d or 12h, or never."],
  [["token", "create", "--name", "x", "--action", "write"], "Allowed choices are read, send, replay, pii, admin."],
  [["audit", "--since", "soon"], "must be a time such as 2026-01-31T12:00:00Z."],
])("%j is wrong usage", async (args, told) => {
  const { code, stderr } = await run(args);
  expect(stderr).toContain(told);
  expect(code).toBe(2);
});

it("tells what the processor refuses", async () => {
  const { code, stderr } = await run(["token", "create", "--name", "x", "--stack", "nothing"]);
  expect(stderr).toBe('cais: Conflict: There is no stack "nothing" here; there is inmet, ivi.\n');
  expect(code).toBe(1);
});
