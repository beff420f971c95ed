import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { NewToken } from "@cais/spec/access.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { testFolder } from "../processor-for-tests.ts";
import { openAudit } from "./audit.ts";
import { openDatabase } from "./database.ts";
import { openTokens } from "./tokens.ts";

let folder: string;
let file: string;
let database: DatabaseSync;
const errors: unknown[] = [];
beforeEach(async () => {
  folder = await testFolder("unwritten");
  file = join(folder, "access.sqlite");
  database = openDatabase(file);
});
afterEach(async () => {
  database.close();
  errors.length = 0;
  await rm(folder, { recursive: true });
});

const now = () => new Date("2026-03-01T12:00:00.000Z");
const onError = (error: unknown) => void errors.push(error);
/** Whether a write fails, as all do on a disk that is full. */
const fail = (isFailing: boolean) => database.exec(`PRAGMA query_only = ${isFailing ? "ON" : "OFF"}`);

it("takes a revoked token no more, and brings that to the disk once it can be written", () => {
  const { token, id } = openTokens(database, now, onError).create(NewToken.parse({ name: "ci" }), "administrator");
  const tokens = openTokens(database, now, onError);
  fail(true);
  expect(() => tokens.revoke(id)).toThrow(/readonly/);
  expect(tokens.callerOf(token)).toBeUndefined();
  fail(false);
  expect(tokens.revoke(id)?.state).toBe("revoked");
  expect(openTokens(database, now, onError).callerOf(token)).toBeUndefined();
});

const entry = { by: "ana", token: null, from: "::1", what: "gc", stack: null, on: null, status: 200, problem: null };

it("says that entries cannot be written, as long as they cannot", async () => {
  const audit = openAudit(database, file, { now, days: 1, entries: { changes: 9, refusals: 9 }, onError });
  audit.check();
  fail(true);
  await expect(audit.note(entry)).rejects.toThrow(/readonly/);
  expect(() => audit.check()).toThrow(/readonly/);
  expect(() => audit.check()).toThrow(/readonly/);
  fail(false);
  audit.check();
  await audit.note(entry);
  await audit.close();
  expect(errors).toEqual([]);
});

it("goes on when old entries cannot be removed", async () => {
  const audit = openAudit(database, file, { now, days: 1, entries: { changes: 9, refusals: 9 }, onError });
  database.exec("CREATE TRIGGER kept BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'kept'); END");
  await Promise.all(Array.from({ length: 1000 }, () => audit.note(entry)));
  expect(errors).toMatchObject([{ message: "kept" }]);
  await audit.close();
});
