import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { testFolder } from "../../processor-for-tests.ts";
import { pieces } from "../conformance.ts";
import { ObjectExists, openObjectStore } from "../index.ts";
import { type Cloud, startCloud } from "./cloud-for-tests.ts";

let folder: string;
let cloud: Cloud;
beforeAll(async () => {
  folder = await testFolder("swift-versions");
  await writeFile(join(folder, "credential.json"), JSON.stringify({ id: "i", secret: "s3cret" }), { mode: 0o600 });
  await writeFile(join(folder, "key"), "k3y", { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  cloud = await startCloud();
});
afterEach(() => cloud.stop());

const file = (path: string) => ({ driver: "file", path }) as const;
const open = () =>
  openObjectStore(
    {
      driver: "swift",
      authUrl: cloud.url,
      container: "c",
      credential: file("credential.json"),
      tempUrlKey: file("key"),
    },
    folder,
  );

/** Just too much for one segment. */
async function* large(): AsyncIterable<Uint8Array> {
  for (let nth = 0; nth < 9; nth++) yield Buffer.alloc(1 << 20, nth);
}
const segments = () => [...cloud.objects.keys()].filter((path) => path.startsWith("c/.cais-segments/"));

it("keeps segments of what was replaced or deleted after versions were switched off", async () => {
  cloud.container = { "X-Versions-Enabled": "False" };
  const store = await open();
  await store.put("a", large());
  await store.put("a", pieces("small"));
  expect(segments()).toHaveLength(2);
  await store.put("b", large());
  await store.delete("b");
  expect(segments()).toHaveLength(4);
  const from = cloud.got.length;
  await store.collect?.({ before: new Date("2100-01-01"), dryRun: true });
  const listed = cloud.got.slice(from).filter(({ path }) => path === "c");
  expect([...new Set(listed.map(({ query }) => query.get("versions")))]).toEqual(["true"]);
});

it("collects nothing where versions go to another container", async () => {
  const store = await open();
  await store.put("a", large());
  cloud.objects.delete("c/a");
  const left = { before: new Date("2100-01-01"), dryRun: true };
  expect(await store.collect?.(left)).toHaveLength(1);
  for (const header of ["X-Versions-Location", "X-History-Location"]) {
    cloud.container = { [header]: "older" };
    expect(await (await open()).collect?.(left)).toEqual([]);
  }
});

it("has a page put files straight only where no versions are kept", async () => {
  expect((await open()).tempUrlOrigin).toBe(cloud.url);
  cloud.container = { "X-Versions-Enabled": "False" };
  expect((await open()).tempUrlOrigin).toBe(cloud.url);
  cloud.container = { "X-Versions-Enabled": "True" };
  expect((await open()).tempUrlOrigin).toBeUndefined();
});

it("sends again what was damaged on the way", async () => {
  cloud.container = { "X-Versions-Enabled": "True" };
  const store = await open();
  let times = 1;
  cloud.meddle = (got) => {
    if (got.method === "PUT" && times-- > 0) got.body = Buffer.from("damaged");
    return undefined;
  };
  await store.put("a", pieces("whole"));
  expect(cloud.requests("PUT")).toEqual(["c/a", "c/a"]);
  expect(cloud.objects.get("c/a")?.body.toString()).toBe("whole");
});

it("replaces an object by one request where its container keeps it", async () => {
  cloud.container = { "X-Versions-Enabled": "True" };
  const store = await open();
  for (const content of ["first", "second"]) await store.put("a", pieces(content));
  expect(cloud.requests("PUT")).toEqual(["c/a", "c/a"]);
  expect(cloud.objects.get("c/a")?.body.toString()).toBe("second");
  await expect(store.put("a", pieces("third"), { ifAbsent: true })).rejects.toThrow(ObjectExists);
});
