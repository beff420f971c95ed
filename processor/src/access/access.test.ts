import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { NewToken } from "@cais/spec/access.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { testFolder } from "../processor-for-tests.ts";
import type { NewEntry } from "./audit.ts";
import { type Access, type AccessOptions, mayDo, openAccess, sees } from "./index.ts";

let folder: string;
let file: string;
let access: Access;
let clock: Date;
let count = 0;
const errors: unknown[] = [];

const open = (audit: AccessOptions["audit"] = {}) =>
  openAccess(file, { audit, now: () => clock, onError: (error) => errors.push(error) });
const later = (days: number) => (clock = new Date(clock.getTime() + days * 86_400_000));
const create = (asked: object = {}, by = "administrator") =>
  access.tokens.create(NewToken.parse({ name: "ci", ...asked }), by);

beforeAll(async () => {
  folder = await testFolder("tokens");
});
beforeEach(() => {
  file = join(folder, `${++count}.sqlite`);
  clock = new Date("2026-03-01T12:00:00.000Z");
  access = open();
});
afterEach(async () => {
  await access.close();
  if (errors.length > 0) throw new AggregateError(errors.splice(0), "Something was not written.");
});
afterAll(() => rm(folder, { recursive: true }));

describe("tokens", () => {
  it("are made with the least that is asked for, and shown once", () => {
    const { token, ...shown } = create();
    expect(token).toMatch(/^cais_[0-9a-f]{16}_[\w-]{43}$/);
    expect(shown).toEqual({
      id: token.slice(5, 21),
      name: "ci",
      stacks: "all",
      actions: ["read"],
      state: "active",
      createdAt: "2026-03-01T12:00:00.000Z",
      createdBy: "administrator",
      expiresAt: "2026-05-30T12:00:00.000Z",
      revokedAt: null,
      usedOn: null,
    });
    expect(access.tokens.list()).toEqual([shown]);
  });

  it("are kept by their hash, in files of their owner's alone", async () => {
    const { token } = create();
    const secret = token.slice(22);
    for (const name of [file, `${file}-wal`]) {
      expect((await stat(name)).mode & 0o777).toBe(0o600);
      expect((await readFile(name)).includes(secret)).toBe(false);
      expect((await readFile(name)).includes(Buffer.from(secret, "base64url"))).toBe(false);
    }
  });

  it("tell who asks, and note the day", () => {
    const { token, id } = create({ stacks: ["sales"], actions: ["read", "send", "read"] });
    const caller = access.tokens.callerOf(token);
    expect(caller).toEqual({ token: id, name: "ci", stacks: ["sales"], actions: ["read", "send"] });
    expect(access.tokens.list()).toMatchObject([{ usedOn: "2026-03-01" }]);
    later(1);
    access.tokens.callerOf(token);
    expect(access.tokens.list()).toMatchObject([{ usedOn: "2026-03-02" }]);
  });

  it("outlive the processor", async () => {
    const { token, id } = create();
    const other = create({ name: "other" });
    access.tokens.callerOf(token);
    access.tokens.revoke(other.id);
    const before = access.tokens.list();
    await access.close();
    access = open();
    expect(access.tokens.list()).toEqual(before);
    expect(access.tokens.callerOf(token)).toMatchObject({ token: id });
    expect(access.tokens.callerOf(other.token)).toBeUndefined();
  });

  it("end when they are revoked, at once, and when they expire", () => {
    const { token, id } = create();
    expect(access.tokens.revoke(id)).toMatchObject({ state: "revoked", revokedAt: "2026-03-01T12:00:00.000Z" });
    expect(access.tokens.callerOf(token)).toBeUndefined();
    later(1);
    expect(access.tokens.revoke(id)).toMatchObject({ revokedAt: "2026-03-01T12:00:00.000Z" });
    expect(access.tokens.revoke("0000000000000000")).toBeUndefined();
    const brief = create({ expiresAt: "2026-03-03T12:00:00Z" });
    expect(access.tokens.callerOf(brief.token)).toBeDefined();
    later(1);
    expect(access.tokens.callerOf(brief.token)).toBeUndefined();
    expect(access.tokens.list()[0]).toMatchObject({ state: "expired" });
    const endless = create({ name: "endless", expiresAt: null });
    later(4000);
    expect(access.tokens.callerOf(endless.token)).toBeDefined();
  });

  it("are not taken with anything changed", () => {
    const { token } = create();
    const { token: other } = create({ name: "other" });
    const swapped = token.slice(0, 22) + other.slice(22);
    // The last of 43 characters has bits to spare: whatever decodes to the same is another text, and refused.
    const tail = token.at(-1) === "A" ? "B" : "A";
    for (const wrong of [
      "",
      "cais_",
      token.slice(0, -1),
      `${token}A`,
      token.toUpperCase(),
      ` ${token}`,
      `${token}\n`,
      swapped,
      token.slice(0, -1) + tail,
    ])
      expect(access.tokens.callerOf(wrong)).toBeUndefined();
    expect(access.tokens.callerOf(token)).toBeDefined();
  });

  it("are refused with a sentence", () => {
    create();
    expect(() => create()).toThrow('There is a token "ci" in use already; revoke it first, or choose another name.');
    expect(() => create({ name: "a", actions: ["admin"], stacks: ["sales"] })).toThrow(
      "The action admin reaches every stack; leave the stacks out, or the action.",
    );
    expect(() => create({ name: "a", expiresAt: "2026-03-01T12:00:00Z" })).toThrow("would have expired already");
    expect(() => create({ name: "a", expiresAt: "2027-03-02T12:00:00Z" })).toThrow("A token lives 365 days at most");
    expect(create({ name: "a", expiresAt: "2027-03-01T12:00:00Z" }).expiresAt).toBe("2027-03-01T12:00:00.000Z");
    expect(access.tokens.list()).toHaveLength(2);
  });

  it("allow what they are for, and admin everything", () => {
    const caller = { token: "x", name: "x", stacks: ["sales"], actions: ["read" as const] };
    expect([mayDo(caller, "read"), mayDo(caller, "send"), mayDo(caller, "admin")]).toEqual([true, false, false]);
    expect(mayDo({ ...caller, actions: ["admin"] }, "send")).toBe(true);
    expect([sees(caller, "sales"), sees(caller, "inmet"), sees(caller, "")]).toEqual([true, false, false]);
    expect(sees({ ...caller, stacks: "all" }, "inmet")).toBe(true);
  });
});

const upload: NewEntry = {
  by: "ci",
  token: "0123456789abcdef",
  from: "127.0.0.1",
  what: "upload",
  stack: "sales",
  on: "run1",
  status: 202,
  problem: null,
};
const refusal: NewEntry = {
  ...upload,
  by: null,
  token: null,
  stack: null,
  on: null,
  status: 401,
  problem: "token-needed",
};

describe("the audit log", () => {
  it("gives what was noted, newest first, by pages", async () => {
    await Promise.all([1, 2, 3, 4, 5].map((n) => access.audit.note({ ...upload, on: `run${n}` })));
    const first = access.audit.page({ limit: 2 });
    expect(first.entries).toEqual([
      { ...upload, id: 5, at: "2026-03-01T12:00:00.000Z", on: "run5", times: 1 },
      { ...upload, id: 4, at: "2026-03-01T12:00:00.000Z", on: "run4", times: 1 },
    ]);
    expect(first.next).toBe(4);
    expect(access.audit.page({ limit: 3, before: 4 })).toMatchObject({
      entries: [{ id: 3 }, { id: 2 }, { id: 1 }],
      next: null,
    });
    later(1);
    await access.audit.note(upload);
    expect(access.audit.page({ since: "2026-03-02T00:00:00.000Z", limit: 9 }).entries.map(({ id }) => id)).toEqual([6]);
  });

  it("is in the file when it says so, though nothing was closed", async () => {
    await access.audit.note(upload);
    // What another process would find after a kill.
    expect((await readFile(`${file}-wal`)).includes("run1")).toBe(true);
  });

  it("counts the same refusal, and nothing else", async () => {
    for (let i = 0; i < 3; i++) await access.audit.note(refusal);
    await access.audit.note({ ...refusal, from: "10.0.0.1" });
    await Promise.all([access.audit.note(upload), access.audit.note(upload)]);
    expect(access.audit.page({ limit: 9 }).entries.map(({ status, from, times }) => [status, from, times])).toEqual([
      [202, "127.0.0.1", 1],
      [202, "127.0.0.1", 1],
      [401, "10.0.0.1", 1],
      [401, "127.0.0.1", 3],
    ]);
  });

  it("keeps entries for its days, and so many, changes and refusals apart", async () => {
    await access.audit.note({ ...upload, on: "old" });
    later(11);
    for (let n = 1; n <= 4; n++) {
      await access.audit.note({ ...upload, on: `run${n}` });
      await access.audit.note({ ...refusal, from: `10.0.0.${n}` });
    }
    await access.close();
    access = open({ days: 10, changes: 3, refusals: 2 });
    expect(access.audit.page({ limit: 9 }).entries.map(({ on, from }) => on ?? from)).toEqual([
      "10.0.0.4",
      "run4",
      "10.0.0.3",
      "run3",
      "run2",
    ]);
  });
});

it("is refused while another has it, and when it is of a later version", async () => {
  expect(() => open()).toThrow(`The file of tokens ${file} cannot be opened`);
  await access.close();
  const database = new DatabaseSync(file);
  database.exec("PRAGMA user_version = 2");
  database.close();
  expect(() => open()).toThrow(`The file of tokens ${file} cannot be opened`);
  await rm(file);
  access = open();
});
