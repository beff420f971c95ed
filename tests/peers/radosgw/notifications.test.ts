import { randomBytes, randomUUID } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Runs } from "@cais/spec/api.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startProcessor } from "../../../processor/src/main.ts";
import { configOf, salesStack, testFolder } from "../../../processor/src/processor-for-tests.ts";
import { logIn } from "../openstack/calls.ts";
import { openLab, type OpenStack } from "../openstack/lab.ts";
import { type S3, s3Call } from "../s3-call.ts";
import { freePorts } from "../services.ts";
import { ceph } from "./ceph.ts";
import type { Radosgw } from "./peer.ts";

const csv = (amount: number) => `day,amount,note\n2024-01-01,${amount},x\n`;
const password = randomBytes(32).toString("hex");
const container = `test-${randomUUID()}`;

let lab: OpenStack;
let gateway: Radosgw;
let folder: string;
let s3: S3;
let url: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;

async function swiftPut(path: string, body?: string): Promise<void> {
  const { token } = await logIn(lab, lab.demo.user, lab.demo.password, lab.demo.project);
  const account = `${gateway.endpoint}/swift/v1/AUTH_${lab.demo.projectId}`;
  const answer = await fetch(`${account}/${path}`, {
    method: "PUT",
    headers: { "X-Auth-Token": token },
    body: body ?? null,
  });
  expect([path, answer.status]).toEqual([path, 201]);
}

const attribute = (n: number, key: string, value: string): [string, string][] => [
  [`Attributes.entry.${n}.key`, key],
  [`Attributes.entry.${n}.value`, value],
];

/** Has the gateway tell of each object that is made in the bucket, as docs/openstack.md says. */
async function notify(push: string): Promise<void> {
  const body = new URLSearchParams([
    ["Action", "CreateTopic"],
    ["Name", "cais"],
    ...attribute(1, "push-endpoint", push),
    // Kept by the gateway, and sent again until it is taken.
    ...attribute(2, "persistent", "true"),
  ]).toString();
  const headers = { "Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-Proto": "https" };
  const answer = await s3Call(s3, "POST", "/", { body, headers, service: "sns" });
  const [, topic] = /<TopicArn>(.*?)<\/TopicArn>/.exec(answer) ?? [];
  const configuration = `<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TopicConfiguration>
    <Id>cais</Id><Topic>${topic}</Topic><Event>s3:ObjectCreated:*</Event>
  </TopicConfiguration></NotificationConfiguration>`;
  await s3Call(s3, "PUT", `/${container}`, { query: { notification: "" }, body: configuration });
}

beforeAll(async () => {
  lab = await openLab();
  gateway = JSON.parse(await readFile(process.env["CAIS_RADOSGW"] ?? "", "utf8")) as Radosgw;
  folder = await testFolder("radosgw");
  await swiftPut(container);
  const access = randomBytes(10).toString("hex");
  const secret = randomBytes(20).toString("hex");
  const key = ["key", "create", `--uid=${lab.demo.projectId}`, "--key-type=s3", `--access-key=${access}`];
  await ceph(lab, "radosgw-admin", [...key, `--secret-key=${secret}`]);
  s3 = { endpoint: gateway.endpoint, region: "default", access, secret };
  const { port } = await freePorts(["port"] as const);
  url = `http://127.0.0.1:${port}`;
  const { id, secret: of } = lab.applicationCredential;
  await writeFile(join(folder, "credential.json"), JSON.stringify({ id, secret: of }), { mode: 0o600 });
  await writeFile(join(folder, "secret"), `${password}\n`, { mode: 0o600 });
}, 600_000);
afterAll(async () => {
  await processor?.stop();
  await rm(folder, { recursive: true });
});

async function start(): Promise<void> {
  const config = configOf(salesStack());
  config.api.port = Number(new URL(url).port);
  for (const stack of Object.values(config.stacks)) {
    stack.stores.input = {
      driver: "swift",
      authUrl: lab.keystone,
      region: gateway.region,
      container,
      credential: { driver: "file", path: "credential.json" },
    };
    // What is loaded was told of: there is one scan, at the start.
    stack.events = { driver: "radosgw", secret: { driver: "file", path: "secret" }, fullScanSeconds: 100_000 };
  }
  processor = await startProcessor(config, { dataFolder: folder });
  const metrics = async () => (await fetch(`${url}/metrics`)).text();
  await expect.poll(metrics, { timeout: 180_000 }).toContain('cais_full_scan_objects{stack="sales"}');
}

const loaded = async () => {
  const { runs } = Runs.parse(await (await fetch(`${url}/v1/runs`)).json());
  return runs.map(({ file, state }) => `${file.key} ${state}`).toSorted();
};

it("has a processor load what others put by either API, with the password in the topic's address", async () => {
  await start();
  await notify(`http://cais:${password}@127.0.0.1:${new URL(url).port}/v1/events/radosgw`);
  await swiftPut(`${container}/S%C3%A3o%20Paulo/a%2Bb%20%26.csv`, csv(1));
  await s3Call(s3, "PUT", `/${container}/by s3/ç+d.csv`, { body: csv(2) });
  await expect
    .poll(loaded, { timeout: 300_000 })
    .toEqual(["São Paulo/a+b &.csv done", "by s3/ç+d.csv done"].toSorted());
}, 600_000);
