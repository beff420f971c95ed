import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfirmedUpload, Stacks, TempUpload, Upload } from "@cais/spec/api.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { type Cloud, startCloud } from "../object-store/swift/cloud-for-tests.ts";
import { configOf, ended, engines, salesStack, testFolder } from "../processor-for-tests.ts";

const csv = "day,amount,note\n2024-01-01,1,x\n";
let folder: string;
let cloud: Cloud;
let processor: Awaited<ReturnType<typeof startProcessor>>;
let url: string;
beforeAll(async () => {
  folder = await testFolder("temp-urls");
  cloud = await startCloud();
  for (const [name, text] of [
    ["credential.json", '{"id":"i","secret":"s"}'],
    ["key", "temp-url-key"],
  ] as const)
    await writeFile(join(folder, name), text, { mode: 0o600 });
  const config = configOf(salesStack(), salesStack({ name: "plain" }));
  const sales = config.stacks["sales"];
  if (sales === undefined) throw new Error("unreachable");
  sales.stores.input = {
    driver: "swift",
    authUrl: cloud.url,
    container: "c",
    credential: { driver: "file", path: "credential.json" },
    tempUrlKey: { driver: "file", path: "key" },
  };
  processor = await startProcessor(config, { engines, dataFolder: folder });
  ({ url } = processor);
});
afterAll(async () => {
  await processor.stop();
  await cloud.stop();
  await rm(folder, { recursive: true });
});

const post = async (path: string) => fetch(`${url}${path}`, { method: "POST" });
const offer = async (name: string) => {
  const answer = await post(`/v1/stacks/sales/uploads?name=${encodeURIComponent(name)}&seconds=60`);
  expect(answer.status).toBe(201);
  return TempUpload.parse(await answer.json());
};

it("takes a file that was put straight into the store, once", async () => {
  const { id, url: address, confirm, expiresAt } = await offer("vendas de março.csv");
  expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(60_000);
  expect((await post(confirm)).status).toBe(409);
  expect((await fetch(address, { method: "PUT", body: csv })).status).toBe(201);
  const day = `${id.slice(0, 4)}-${id.slice(4, 6)}-${id.slice(6, 8)}`;
  expect([...cloud.objects.keys()]).toEqual([`c/${day}/${id}/vendas de março.csv`]);
  const taken = await post(confirm);
  expect(taken.status).toBe(202);
  const upload = ConfirmedUpload.parse(await taken.json());
  expect(upload).toMatchObject({ name: "vendas de março.csv", bytes: 31, known: false });
  expect(await ended(url, upload.id)).toMatchObject({ state: "done", rows: { read: 1, clean: 1 } });
  const again = await post(confirm);
  expect([again.status, ConfirmedUpload.parse(await again.json())]).toEqual([200, upload]);
  const other = await offer("same content.csv");
  await fetch(other.url, { method: "PUT", body: csv });
  const known = await post(other.confirm);
  expect([known.status, ConfirmedUpload.parse(await known.json())]).toEqual([
    200,
    { ...upload, name: "same content.csv", known: true },
  ]);
});

it("refuses what the stack does not take, and stores that give no addresses", async () => {
  expect((await post("/v1/stacks/sales/uploads?name=a.exe")).status).toBe(415);
  expect((await post("/v1/stacks/plain/uploads?name=a.csv")).status).toBe(409);
  expect((await post("/v1/stacks/none/uploads?name=a.csv")).status).toBe(404);
  expect((await post("/v1/stacks/sales/uploads?name=a.csv&seconds=1")).status).toBe(400);
  expect((await post("/v1/stacks/sales/uploads/x?name=a.csv")).status).toBe(400);
  const { url: address, confirm } = await offer("large.csv");
  await fetch(address, { method: "PUT", body: "x".repeat(1_000_001) });
  expect((await post(confirm)).status).toBe(413);
});

it("answers with the address of a file only who asks for it", async () => {
  const { url: address, confirm } = await offer("b.csv");
  await fetch(address, { method: "PUT", body: `${csv}2024-01-02,2,y\n` });
  const { id } = Upload.parse(await (await post(confirm)).json());
  await ended(url, id);
  const file = `${url}/v1/runs/${id}/file`;
  expect(await (await fetch(file)).text()).toBe(`${csv}2024-01-02,2,y\n`);
  const answer = await fetch(`${file}?from=store`, { redirect: "manual" });
  const location = new URL(answer.headers.get("location") ?? "");
  expect([answer.status, location.pathname]).toEqual([307, new URL(address).pathname]);
  expect(location.searchParams.get("filename")).toBe("b.csv");
  // Of another method, so it is no way to write.
  expect(location.searchParams.get("temp_url_sig")).not.toBe(new URL(address).searchParams.get("temp_url_sig"));
});

it("says of each stack whether it gives such addresses, and lets the page put files there", async () => {
  const answer = await fetch(`${url}/v1/stacks`);
  const { stacks } = Stacks.parse(await answer.json());
  expect(stacks.map(({ name, direct }) => [name, direct])).toEqual([
    ["sales", true],
    ["plain", false],
  ]);
  expect(answer.headers.get("content-security-policy")).toContain(`;connect-src 'self' ${cloud.url};`);
});

it("describes the addresses only where some store gives them", async () => {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> };
  expect(Object.keys(paths)).toEqual(
    expect.arrayContaining(["/v1/stacks/{stack}/uploads", "/v1/stacks/{stack}/uploads/{id}"]),
  );
});
