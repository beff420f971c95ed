import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Upload } from "@cais/spec/api.ts";
import {
  answersOn,
  type Attacked,
  connectTo,
  csv,
  exchange,
  problemIn,
  startAttacked,
  until,
  uploadHead,
} from "./attacked.ts";

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked("slow", { limits: { headerSeconds: 1, bodySeconds: 2, uploads: 2, connections: 60 } });
});
afterAll(() => attacked?.stop());

/** Writes a byte again and again until the connection is closed, and gives what was answered. */
async function drip(head: string, bytes = "x") {
  const socket = connectTo(attacked);
  socket.write(head);
  const dripping = setInterval(() => socket.writable && socket.write(bytes), 100);
  const answers = await answersOn(socket);
  clearInterval(dripping);
  return answers;
}

it("a head that comes byte by byte is cut off, and others are served meanwhile", async () => {
  const slow = Array.from({ length: 30 }, () => drip("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "));
  for (let i = 0; i < 20; i++) await attacked.checkAlive();
  for (const answers of await Promise.all(slow))
    expect(problemIn(answers)).toMatchObject({ status: 408, type: "urn:cais:problem:too-slow" });
});

it("a connection on which nothing comes is closed", async () => {
  const socket = connectTo(attacked);
  const [answer] = await answersOn(socket);
  expect(answer?.status).toBe(408);
});

it("bodies that hardly move are cut off, and those that wait for them go on", async () => {
  const head = `${uploadHead()}Content-Length: 900000\r\n\r\n`;
  const slow = [drip(head), drip(head), drip(head)];
  // Both turns are taken.
  await until(async () => (await attacked.openFiles()) === undefined || (await attacked.kept()).length === 2);
  const file = csv();
  const waiting = exchange(
    attacked,
    `${uploadHead()}Connection: close\r\nContent-Length: ${file.length}\r\n\r\n${file}`,
  );
  for (const answers of await Promise.all(slow)) expect(problemIn(answers)).toMatchObject({ status: 408 });
  const [answer] = await waiting;
  expect(answer?.status).toBe(202);
  expect(await attacked.runs()).toEqual([Upload.parse(JSON.parse(answer?.body ?? "")).id]);
  await until(async () => (await attacked.kept()).length === 1);
});

it("a body that is slow but moves is taken", async () => {
  const pieces = Array.from({ length: 30 }, csv).map((text) => text.padEnd(500, "\n"));
  const socket = connectTo(attacked);
  socket.write(`${uploadHead()}Connection: close\r\nContent-Length: ${pieces.join("").length}\r\n\r\n`);
  const answers = answersOn(socket);
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  expect((await answers)[0]?.status).toBe(202);
});

it("a refused body may be sent on for a moment, and not for ever", async () => {
  const socket = connectTo(attacked);
  const piece = Buffer.alloc(64_000, "x");
  socket.write("POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000000\r\n\r\n");
  const sending = setInterval(() => socket.writable && socket.write(piece), 50);
  const started = performance.now();
  const answers = await answersOn(socket);
  clearInterval(sending);
  expect(problemIn(answers).status).toBe(405);
  expect(performance.now() - started).toBeLessThan(20_000);
});

it("connections beyond the limit are told to come back, and idle ones make room", async () => {
  const idle = Array.from({ length: 60 }, () => connectTo(attacked));
  await Promise.all(idle.map((socket) => once(socket, "connect")));
  const held = idle.map((socket) => {
    socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ");
    return answersOn(socket);
  });
  const answers = await exchange(attacked, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  expect(problemIn(answers)).toMatchObject({ status: 503, type: "urn:cais:problem:overloaded" });
  expect(answers[0]?.head).toMatch(/^retry-after: \d+$/m);
  await Promise.all(held);
  await attacked.checkAlive();
});
