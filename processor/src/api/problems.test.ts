import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import fastify from "fastify";
import { expect, it } from "vitest";
import { answerWithProblems } from "./problems.ts";

/** What the API answers when a route fails as `work` does. */
async function answerTo(work: () => unknown) {
  const app = fastify();
  answerWithProblems(app);
  app.get("/", async () => work());
  return (await app.inject("/")).json<unknown>();
}
const writeNowhere = () => writeFile("/dev/full", "x");
const passOn = (cause: unknown) => {
  throw new Error("The object cannot be written.", { cause });
};
const full = {
  type: "urn:cais:problem:storage-full",
  title: "Insufficient Storage",
  status: 507,
  detail: "The processor's storage has no room left; free some or ask who runs it.",
};

it("tells that the ledger's disk is full", async () => {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (c); PRAGMA max_page_count = 1;");
  const fill = () => database.prepare("INSERT INTO t VALUES (?)").run("x".repeat(100_000));
  expect(await answerTo(fill)).toEqual(full);
});

it.runIf(existsSync("/dev/full"))("tells that a store's disk is full, whoever passes the error on", async () => {
  expect(await answerTo(writeNowhere)).toEqual(full);
  expect(await answerTo(() => writeNowhere().catch(passOn))).toEqual(full);
});

it("tells nothing of another failure", async () => {
  const database = new DatabaseSync(":memory:");
  expect(await answerTo(() => database.exec("SELECT secret"))).toMatchObject({
    status: 500,
    detail: "The processor failed; its log says why.",
  });
});
