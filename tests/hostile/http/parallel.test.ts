import { Problem, Upload } from "@cais/spec/api.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Answer, type Attacked, answersOn, connectTo, csv, startAttacked, uploadHead } from "./attacked.ts";

/** All ten thousand take a minute and 20,000 file descriptors: set CAIS_HOSTILE_UPLOADS=10000. Measured: 512 MB, 8,314 files. */
const count = Number(process.env["CAIS_HOSTILE_UPLOADS"] ?? 1000);
// Under such a load the system may bring a head and a body much later than they were sent.
const limits = { connections: 500, uploads: 50, headerSeconds: 300, bodySeconds: 300 };
/** What the processor has open besides: engines, ledger, sockets that are about to close. */
const OWN_FILES = 200;

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked("parallel", { limits });
});
afterAll(() => attacked?.stop());

/** What became of an upload: an answer, or a connection that could not be made or was closed before one. */
async function upload(): Promise<Answer | undefined> {
  const socket = connectTo(attacked);
  const file = csv();
  socket.write(`${uploadHead()}Connection: close\r\nContent-Length: ${file.length}\r\n\r\n${file}`);
  const [answer] = await answersOn(socket);
  return answer;
}

it(
  `of ${count} uploads at once each is answered, and what is acknowledged is in the ledger`,
  { timeout: 300_000 },
  async () => {
    let mostFiles = 0;
    const watching = setInterval(async () => (mostFiles = Math.max(mostFiles, (await attacked.openFiles()) ?? 0)), 50);
    const answers = await Promise.all(Array.from({ length: count }, upload)).finally(() => clearInterval(watching));

    const taken = answers.filter((answer) => answer?.status === 202);
    const refused = answers.filter((answer) => answer?.status === 503);
    expect(answers.filter((answer) => answer?.status !== 202 && answer?.status !== 503)).toEqual([]);
    for (const answer of refused) {
      expect(Problem.strict().parse(JSON.parse(answer?.body ?? ""))).toMatchObject({
        type: "urn:cais:problem:overloaded",
      });
      expect(answer?.head).toMatch(/^retry-after: \d+$/m);
    }
    // Others wait for their turn, on a slow machine longer than one may.
    expect(taken.length).toBeGreaterThanOrEqual(Math.min(count, limits.uploads));
    const acknowledged = taken.map((answer) => Upload.parse(JSON.parse(answer?.body ?? "")).id);
    expect((await attacked.runs()).toSorted()).toEqual(acknowledged.toSorted());
    await attacked.checkAlive();

    const peak = await attacked.peakMemory();
    expect(peak ?? 0).toBeLessThan(700e6);
    expect(mostFiles).toBeLessThan(count + limits.uploads + OWN_FILES);
  },
);

it("goes on as before", async () => {
  const answer = await upload();
  expect(answer?.status).toBe(202);
});
