import { send } from "@cais/processor/src/processor-for-tests.ts";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { keystoneCall, logIn } from "./calls.ts";
import { expectOnce, type Ivi, inventory, LIMITS, PATIENCE, startIvi, today } from "./ivi.ts";
import { startKeystone } from "./keystone.ts";
import { restartMemory } from "./lab.ts";
import { startSwift, stopSwift } from "./swift.ts";

vi.setConfig(LIMITS);

let ivi: Ivi;
beforeAll(async () => {
  ivi = await startIvi();
});
afterAll(async () => {
  await ivi?.stop();
});

const containerOf = (role: "input" | "lake" | "output") => `/${ivi.containers[`ivi-${role}`]}`;

let plots = 100;
/** So many new files, each of a plot of its own. */
function newFiles(prefix: string, count: number): Record<string, { plot: number; trees: number }> {
  const files = Array.from(
    { length: count },
    (_, n) => [`${prefix}-${n}.csv`, { plot: plots++, trees: 20 + n }] as const,
  );
  return Object.fromEntries(files);
}

/** Puts files into the input container, as any client does: in the folder of the day, at which the monitor looks often. */
async function put(files: ReturnType<typeof newFiles>): Promise<void> {
  for (const [name, { plot, trees }] of Object.entries(files)) {
    const request = { body: inventory(plot, trees) };
    expect((await ivi.swift("PUT", `${containerOf("input")}/${today()}/${name}`, request)).status).toBe(201);
  }
}

const upload = async (files: ReturnType<typeof newFiles>) =>
  Promise.all(
    Object.entries(files).map(async ([name, { plot, trees }]) => send(ivi.url(), "ivi", inventory(plot, trees), name)),
  );

/** Sends a file until it is refused, and gives the refusal's status and text. */
async function refusal(name: string): Promise<[number, string]> {
  let last: [number, string] = [0, ""];
  await expect
    .poll(async () => {
      const answer = await send(ivi.url(), "ivi", inventory(99, 1), name);
      last = [answer.status, await answer.text()];
      return answer.ok;
    }, PATIENCE)
    .toBe(false);
  return last;
}

/** Waits until the processor's log tells this. */
async function said(sentence: RegExp): Promise<void> {
  await expect.poll(() => ivi.processor.said(), PATIENCE).toMatch(sentence);
}

async function readiness(): Promise<[number, string]> {
  const answer = await fetch(`${ivi.url()}/readyz`);
  return [answer.status, await answer.text()];
}

it("loads every file once when the processor is killed in the middle, twice", async () => {
  const files = newFiles("kill", 8);
  const [sent, found] = [Object.entries(files).slice(0, 4), Object.entries(files).slice(4)].map(Object.fromEntries);
  for (const answer of await upload(sent)) expect(answer.status).toBe(202);
  await put(found);
  for (let kill = 0; kill < 2; kill++) {
    const isWorking = async () =>
      (await ivi.runs()).some(({ state, file }) => state === "running" && file.name in files);
    const isDone = async () =>
      (await ivi.runs()).filter(({ file, state }) => file.name in files && state === "done").length;
    await expect.poll(async () => (await isWorking()) || (await isDone()) === 8, PATIENCE).toBe(true);
    await ivi.processor.end("SIGKILL");
    await ivi.start();
  }
  await expectOnce(ivi, files);
});

it("waits for a Swift that is away, says so, and goes on", async () => {
  const before = newFiles("away", 3);
  await put(before);
  await expect.poll(async () => (await ivi.runs()).some(({ file }) => file.name in before), PATIENCE).toBe(true);
  await stopSwift(ivi.lab, "SIGKILL");
  try {
    expect(await refusal("refused.csv")).toEqual([
      503,
      expect.stringContaining("A store of the processor is out of reach"),
    ]);
    await said(/was not answered \(ECONNREFUSED\), 10 times; does Swift run at http:/);
    expect(await readiness()).toEqual([503, expect.stringContaining("store")]);
  } finally {
    await startSwift(ivi.lab);
  }
  const after = newFiles("back", 2);
  await put(after);
  await expectOnce(ivi, { ...before, ...after });
});

it("has a new token before one expires", async () => {
  const tokenExpiry = 20;
  await startKeystone(ivi.lab, { tokenExpiry });
  try {
    await ivi.processor.end("SIGTERM");
    await ivi.start();
    const expired = Date.now() + (tokenExpiry + 1) * 1000;
    const files = newFiles("token", 2);
    const [first = {}, second = {}] = Object.entries(files).map((entry) => Object.fromEntries([entry]));
    await put(first);
    await expectOnce(ivi, first);
    await expect.poll(() => Date.now() > expired, PATIENCE).toBe(true);
    await put(second);
    await expectOnce(ivi, files);
    expect((await ivi.runs()).filter(({ file, attempts }) => file.name in files && attempts !== 1)).toEqual([]);
  } finally {
    await startKeystone(ivi.lab);
  }
});

it("gets another token when all of them are revoked", async () => {
  const admin = await logIn(ivi.lab, "admin", ivi.lab.admin.password, "admin");
  const user = `/users/${ivi.lab.demo.userId}`;
  const own = async () => (await ivi.swift("HEAD", containerOf("input"))).status;
  expect(await own()).toBe(204);
  // Whose password is set loses all tokens, and none of its application credentials.
  await keystoneCall(admin, "PATCH", user, { user: { password: ivi.lab.demo.password } });
  // Swift remembers for five minutes that a token was valid.
  await restartMemory(ivi.lab);
  await expect.poll(own, PATIENCE).toBe(401);
  // Keystone takes a token of the same second for one of before.
  const newOne = async () => {
    await ivi.logInAgain();
    return own();
  };
  await expect.poll(newOne, PATIENCE).toBe(204);
  const files = newFiles("revoked", 2);
  await put(files);
  await expectOnce(ivi, files);
});

it("says that its credential is revoked, and takes the next one without a restart", async () => {
  const path = `/users/${ivi.lab.demo.userId}/application_credentials`;
  const listed = await keystoneCall<{ application_credentials: { id: string; name: string }[] }>(
    ivi.session(),
    "GET",
    path,
  );
  const own = listed.application_credentials.filter(({ name }) => name.startsWith("processor-"));
  for (const { id } of own) await keystoneCall(ivi.session(), "DELETE", `${path}/${id}`);
  await restartMemory(ivi.lab);
  const files = newFiles("credential", 2);
  try {
    expect(await refusal("refused.csv")).toEqual([
      503,
      expect.stringContaining("A store of the processor is out of reach"),
    ]);
    await said(
      /Keystone at \S+ refuses the credential in \S+ \(40[14]\); it is wrong, expired or revoked: put a valid one there/,
    );
    await put(files);
  } finally {
    await ivi.newCredential(ivi.session());
  }
  await expectOnce(ivi, files);
});

it("says that a quota is used up, and goes on when it is raised", async () => {
  const quota = async (role: "input" | "lake", bytes: string) =>
    ivi.swift("POST", containerOf(role), { headers: { "X-Container-Meta-Quota-Bytes": bytes } });
  await quota("input", "1");
  expect(await refusal("refused.csv")).toEqual([507, expect.stringContaining("room")]);
  await quota("input", "");
  await quota("lake", "1");
  const files = newFiles("quota", 1);
  await put(files);
  const waiting = async () => (await ivi.runs()).find(({ file }) => file.name in files)?.error;
  await expect.poll(waiting, PATIENCE).toMatch(/a quota of the container or its project is used up/);
  await quota("lake", "");
  await expectOnce(ivi, files);
});

it("slows down where Swift limits the rate", async () => {
  // A container in which nothing is knows no limit, as far as Swift remembers it.
  const before = newFiles("before-rate", 1);
  await put(before);
  await expectOnce(ivi, before);
  await restartMemory(ivi.lab);
  await startSwift(ivi.lab, { writesPerSecond: 2 });
  try {
    // They use up what is let through at once, so that what comes next meets the limit, too.
    const probe = async (n: number) => (await ivi.swift("DELETE", `${containerOf("input")}/probe-${n}`)).status;
    await expect.poll(() => Promise.all(Array.from({ length: 30 }, (_, n) => probe(n))), PATIENCE).toContain(498);
    const files = newFiles("rate", 6);
    // One that meets the limit ten times is refused, and its sender tries again.
    const taken = Object.entries(files).map((file) => {
      const isTaken = async () => (await upload(Object.fromEntries([file])))[0]?.ok;
      return expect.poll(isTaken, PATIENCE).toBe(true);
    });
    await Promise.all(taken);
    await expectOnce(ivi, files);
  } finally {
    await startSwift(ivi.lab);
  }
});
