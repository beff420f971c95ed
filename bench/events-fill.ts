import { Agent, request } from "node:http";
import type { OpenStack } from "../tests/peers/openstack/lab.ts";
import { logIn } from "../tests/peers/openstack/calls.ts";
import { say } from "./report.ts";

/** PUTs at a time: as many as keep two cores of Swift's servers busy. */
export const CLIENTS = 8;

/** Asked for anew long before Keystone's hour is over. */
const OBJECTS_PER_TOKEN = 5000;

const body = Buffer.from("day,amount,note\n2024-01-01,1,x\n");

/** Puts objects into a container, one request each, a thousand for each day up to today. Seconds that it took. */
export async function fillContainer(lab: OpenStack, container: string, count: number): Promise<number> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const today = Math.floor(Date.now() / 86_400_000);
  try {
    for (let first = 0; first < count; first += OBJECTS_PER_TOKEN) {
      const { token } = await logIn(lab, lab.demo.user, lab.demo.password, lab.demo.project);
      const headers = { "X-Auth-Token": token, "Content-Type": "text/csv", "Content-Length": body.length };
      const end = Math.min(count, first + OBJECTS_PER_TOKEN);
      let next = first;
      const client = async () => {
        while (next < end) {
          const n = next++;
          const day = new Date((today - Math.floor(n / 1000)) * 86_400_000).toISOString().slice(0, 10);
          const key = `${day}/file-${String(n % 1000).padStart(6, "0")}-of-a-sensor.csv`;
          await put(`${lab.storageUrl}/${container}/${key}`, { agent, headers });
        }
      };
      await Promise.all(Array.from({ length: CLIENTS }, client));
      say(`  ${end} of ${count} after ${seconds().toFixed(0)} s`);
    }
    return seconds();
  } finally {
    agent.destroy();
  }
}

async function put(url: string, options: { agent: Agent; headers: Record<string, string | number> }): Promise<void> {
  const status = await new Promise<number>((done, failed) => {
    request(url, { method: "PUT", ...options }, (answer) =>
      answer.resume().once("end", () => done(answer.statusCode ?? 0)),
    )
      .once("error", failed)
      .end(body);
  });
  if (status !== 201) throw new Error(`Swift answered a PUT of ${url} with ${status}.`);
}
