import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { testFolder } from "../../processor-for-tests.ts";
import { pieces } from "../conformance.ts";
import { ObjectExists, openObjectStore, StoreFull, StoreUnreachable } from "../index.ts";
import { type Cloud, type Got, startCloud } from "./cloud-for-tests.ts";

let folder: string;
let cloud: Cloud;
beforeAll(async () => {
  folder = await testFolder("swift");
  await writeFile(join(folder, "credential.json"), JSON.stringify({ id: "i", secret: "s3cret" }), { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  cloud = await startCloud();
});
afterEach(() => cloud.stop());

const open = () =>
  openObjectStore(
    {
      driver: "swift",
      authUrl: cloud.url,
      container: "c",
      credential: { driver: "file", path: "credential.json" },
    },
    folder,
  );

/** Does something with the first requests that fit, and lets the others pass. */
function meddleOnce(fits: (got: Got) => boolean, ...deeds: (number | Cloud["meddle"])[]): void {
  cloud.meddle = (got, answer) => {
    if (!fits(got)) return undefined;
    const deed = deeds.shift();
    return typeof deed === "function" ? deed(got, answer) : deed;
  };
}

const reset: Cloud["meddle"] = (_, answer) => {
  answer.destroy();
  return "taken";
};

/** What an answer tells only at its end. */
const beat =
  (body: string): Cloud["meddle"] =>
  (_, answer) => {
    answer.writeHead(202).end(`  \n${body}`);
    return "taken";
  };

const isPut = ({ method, path }: Got) => method === "PUT" && path === "c/a";
const isGet = ({ method, path }: Got) => method === "GET" && path === "c/a";
const isSegment = ({ method, path }: Got) => method === "PUT" && path.startsWith("c/.cais-segments/");
const isManifest = ({ method, query }: Got) => method === "PUT" && query.has("multipart-manifest");

/** Just too many for one segment. */
const MEBIBYTES = 9;

async function* large(): AsyncIterable<Uint8Array> {
  for (let nth = 0; nth < MEBIBYTES; nth++) yield Buffer.alloc(1 << 20, nth);
}

async function* broken(): AsyncIterable<Uint8Array> {
  yield* large();
  yield* large();
  throw new Error("the sender went away");
}

/** Four bytes of ten from where a read begins, and then no more. */
const half: Cloud["meddle"] = ({ headers }, answer) => {
  const from = Number(/^bytes=(\d+)/.exec(headers.range ?? "")?.[1] ?? 0);
  const status = headers.range === undefined ? 200 : 206;
  answer.writeHead(status, { etag: "e", "x-timestamp": "1.0", "content-length": 10 - from });
  answer.write("0123456789".slice(from, from + 4), () => answer.destroy());
  return "taken";
};

describe("a request", () => {
  it("is made again after 498, 503, 422 and a reset, with its whole body", async () => {
    const store = await open();
    meddleOnce(isPut, 498, 503, 422, reset);
    await store.put("a", pieces("one,", "two"));
    expect(cloud.requests("PUT")).toEqual(["c/a", "c/a", "c/a", "c/a", "c/a"]);
    expect(cloud.objects.get("c/a")?.body.toString()).toBe("one,two");
    expect(cloud.got.find(isPut)?.headers.etag).toBe("c493cbf2fe29562472bc0b897abc9b80");
  });

  it("gets another token when one is refused, and gives up when that is, too", async () => {
    const store = await open();
    meddleOnce(isPut, 401);
    await store.put("a", pieces("x"));
    expect(cloud.got.filter(isPut).map(({ headers }) => headers["x-auth-token"])).toEqual(["token-1", "token-2"]);
    cloud.meddle = () => 401;
    await expect(store.head("a")).rejects.toThrow(/Swift does not take Keystone's new token/);
  });

  it("says that a credential was revoked, and not what it was", async () => {
    const store = await open();
    cloud.meddle = () => 401;
    cloud.refuseLogin = true;
    const error = await store.put("a", pieces("x")).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreUnreachable);
    expect(String(error)).toMatch(
      /refuses the credential in .*credential\.json \(401\); it is wrong, expired or revoked/,
    );
    expect(String(error)).not.toContain("s3cret");
  });

  it("renews a token before its end", async () => {
    cloud.tokenSeconds = 0;
    const store = await open();
    const before = cloud.tokens;
    cloud.tokenSeconds = 3600;
    await store.head("a");
    await store.head("a");
    expect(cloud.tokens).toBe(before + 1);
  });

  it("is not given up because another one asked for a token only once", async () => {
    cloud.tokenSeconds = 0;
    const store = await open();
    cloud.tokenSeconds = 3600;
    let logins = 0;
    cloud.meddleLogin = () => (++logins <= 2 ? 503 : undefined);
    const [once, often] = await Promise.allSettled([store.check(), store.head("a")]);
    expect([once.status, often.status]).toEqual(["rejected", "fulfilled"]);
  });

  it("uses the old token while there is no new one, until its end", async () => {
    const store = await open();
    cloud.refuseLogin = true;
    const now = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: now + 3_500_000 });
    try {
      expect(await store.head("a")).toBeUndefined();
      vi.setSystemTime(now + 3_700_000);
      await expect(store.head("a")).rejects.toThrow(/refuses the credential/);
    } finally {
      vi.useRealTimers();
    }
  });

  it("tells a right that is missing and a quota that is used up from each other", async () => {
    const store = await open();
    cloud.meddle = (got) => (isPut(got) ? 403 : undefined);
    await expect(store.put("a", pieces("x"))).rejects.toThrow(/answered with 403; give the credential the role/);
    cloud.meddle = (got) => (isPut(got) ? 413 : undefined);
    await expect(store.put("a", pieces("x"))).rejects.toThrow(StoreFull);
  });

  it("says of a container that is not there that it is not, and never that an object is not", async () => {
    const store = await open();
    cloud.meddle = () => 404;
    await expect(store.put("a", pieces("x"))).rejects.toThrow(StoreUnreachable);
    await expect(store.check()).rejects.toThrow(/there is no such container/);
    await expect(store.head("a")).rejects.toThrow(StoreUnreachable);
    await expect(store.get("a")).rejects.toThrow(StoreUnreachable);
    await expect(store.fetch("a", join(folder, "none"))).rejects.toThrow(StoreUnreachable);
    await expect(open()).rejects.toThrow(StoreUnreachable);
  });

  it("that is sent elsewhere did nothing", async () => {
    const store = await open();
    cloud.meddle = (got) => (isPut(got) ? 301 : undefined);
    await expect(store.put("a", pieces("x"))).rejects.toThrow(/answered with 301, which sends elsewhere; correct/);
    cloud.meddle = () => 307;
    await expect(open()).rejects.toThrow(StoreUnreachable);
  });
});

/** What was asked since the last time. */
const requests = () => cloud.got.splice(0).map(({ method, path }) => `${method} ${path}`);

it("takes one request for a file that is new, and asks for the version only of a stream", async () => {
  const store = await open();
  const file = join(folder, "new-file");
  await writeFile(file, "new");
  requests();
  await store.putFile("a", file);
  expect(requests()).toEqual(["PUT c/a"]);
  await store.put("b", pieces("new"), { ifAbsent: true });
  expect(requests()).toEqual(["PUT c/b", "HEAD c/b"]);
  await store.putFile("b", file);
  expect(requests()).toEqual(["PUT c/b", "HEAD c/b", "PUT c/b"]);
  meddleOnce(
    ({ method }) => method === "PUT",
    (_, answer) => {
      answer.writeHead(201, { "x-object-version-id": "1795326530.87425" }).end();
      return "taken";
    },
  );
  expect(await store.put("c", pieces("new"))).toMatchObject({ version: "1795326530.87425" });
  expect(requests()).toEqual(["PUT c/c"]);
});

it("refuses a key with which the names of segments would be too long, before it sends one", async () => {
  const store = await open();
  const key = "ç".repeat(484);
  await store.put(key, pieces("small"));
  await expect(store.put(key, large())).rejects.toThrow(/more than 966 bytes.* shorten it/);
  await store.put(key.slice(1), large());
  expect(cloud.got.filter(isSegment).every(({ path }) => Buffer.byteLength(path) <= 1024 + 2)).toBe(true);
});

describe("an object that must not be there yet", () => {
  it("is known again when the answer to its put was lost", async () => {
    const store = await open();
    meddleOnce(isPut, (got, answer) => {
      cloud.objects.set("c/a", {
        body: got.body,
        headers: { "x-object-meta-cais-put": String(got.headers["x-object-meta-cais-put"]) },
        timestamp: "1795314591.24378",
      });
      return reset(got, answer);
    });
    expect(await store.put("a", pieces("mine"), { ifAbsent: true })).toMatchObject({ version: "1795314591.24378" });
    await expect(store.put("a", pieces("other"), { ifAbsent: true })).rejects.toThrow(ObjectExists);
  });
});

describe("a read", () => {
  it("goes on where its connection broke, of the same object", async () => {
    const store = await open();
    await store.put("a", pieces("0123456789"));
    meddleOnce(isGet, half, half);
    const body = await store.get("a");
    expect(body && (await text(body))).toBe("0123456789");
    expect(cloud.got.filter(isGet).map(({ headers }) => [headers.range, headers["if-match"]])).toEqual([
      [undefined, undefined],
      ["bytes=4-9", '"e"'],
      ["bytes=8-9", '"e"'],
    ]);
    meddleOnce(isGet, half, 412);
    const replaced = await store.get("a");
    await expect(replaced && text(replaced)).rejects.toThrow(/was replaced while it was read/);
  });
});

it("is not held up by objects that nobody reads, whose connections end with them", async () => {
  const store = await open();
  await store.put("a", pieces("0123456789"));
  let ended = 0;
  cloud.meddle = (got, answer) => {
    if (!isGet(got)) return undefined;
    answer.on("close", () => ended++).writeHead(200, { etag: "e", "x-timestamp": "1.0", "content-length": 10 });
    answer.write("01234");
    return "taken";
  };
  const bodies = await Promise.all(Array.from({ length: 40 }, () => store.get("a")));
  expect(await store.head("a")).toMatchObject({ bytes: 10 });
  for (const body of bodies) body?.destroy();
  await expect.poll(() => ended, { timeout: 30_000 }).toBe(bodies.length);
});

describe("a large object", () => {
  it("is sent as segments, of which those that fail are sent again", async () => {
    const store = await open();
    meddleOnce(isSegment, 503, reset);
    expect(await store.put("a", large())).toMatchObject({ bytes: MEBIBYTES << 20 });
    const body = await store.get("a");
    let bytes = 0;
    for await (const piece of body ?? []) bytes += (piece as Buffer).length;
    expect(bytes).toBe(MEBIBYTES << 20);
    expect(cloud.requests("PUT").filter((path) => path !== "c/a")).toHaveLength(4);
    expect(await Array.fromAsync(store.list(""), ({ key }) => key)).toEqual(["a"]);
  });

  it("is not taken for written before its answer's end says so", async () => {
    const store = await open();
    meddleOnce(isManifest, beat(""), beat('{"Response Status": "503 Service Unavailable"}'));
    await store.put("a", large());
    expect(cloud.got.filter(isManifest)).toHaveLength(3);
    meddleOnce(isManifest, beat('{"Response Status": "400 Bad Request", "Errors": [["/c/s", "Etag Mismatch"]]}'));
    await expect(store.put("b", large())).rejects.toThrow(/refuses the manifest .*\(400 Bad Request\): \/c\/s Etag/);
    meddleOnce(isManifest, beat('{"Response Status": "413 Request Entity Too Large", "Errors": []}'));
    await expect(store.put("b", large())).rejects.toThrow(StoreFull);
    meddleOnce(isManifest, beat('{"Response Status": "412 Precondition Failed", "Errors": []}'));
    await expect(store.put("b", large(), { ifAbsent: true })).rejects.toThrow(ObjectExists);
    for (const line of ["403 Forbidden", "404 Not Found"]) {
      meddleOnce(isManifest, beat(`{"Response Status": "${line}", "Errors": []}`));
      await expect(store.put("b", large())).rejects.toThrow(`"b" (${line}); it is tried again`);
    }
    expect(cloud.objects.has("c/b")).toBe(false);
    meddleOnce(isManifest, beat('{"Response Status": "409 Conflict", "Errors": []}'));
    await store.put("b", large());
    expect(cloud.objects.has("c/b")).toBe(true);
  });

  it("is sent in small pieces while many others fill the memory", async () => {
    const store = await open();
    const { promise, reject } = Promise.withResolvers<never>();
    const chunk = Buffer.alloc(900 << 10);
    let given = 0;
    async function* slow(): AsyncIterable<Uint8Array> {
      yield chunk;
      given++;
      await promise;
    }
    // Together a little more than all may hold, and each too little for a segment.
    const others = Array.from({ length: 300 }, (_, nth) => store.put(`slow/${nth}`, slow()));
    const ended = Promise.allSettled(others);
    await expect.poll(() => given, { timeout: 60_000 }).toBe(others.length);
    await store.put("a", large());
    expect(cloud.got.filter(({ path }) => path.startsWith("c/.cais-segments/a/"))).toHaveLength(MEBIBYTES);
    reject(new Error("the sender went away"));
    expect((await ended).map(({ status }) => status)).toEqual(others.map(() => "rejected"));
    await store.put("b", large());
    expect(cloud.got.filter(({ path }) => path.startsWith("c/.cais-segments/b/"))).toHaveLength(2);
  });

  it("leaves no segment behind when its body fails", async () => {
    const store = await open();
    await expect(store.put("a", broken())).rejects.toThrow("the sender went away");
    expect(cloud.requests("PUT").length).toBeGreaterThan(0);
    expect([...cloud.objects.keys()]).toEqual([]);
  });

  it("takes its segments along when it is replaced, and leaves what a kill left to collect", async () => {
    const store = await open();
    await store.put("a", large());
    expect(cloud.objects.size).toBe(3);
    await store.put("a", pieces("small"));
    expect([...cloud.objects.keys()]).toEqual(["c/a"]);
    const left = `.cais-segments/gone.csv/${"0".repeat(8)}-0000-4000-8000-${"0".repeat(12)}`;
    cloud.objects.set(`c/${left}/00000`, { body: Buffer.from("xyz"), headers: {}, timestamp: "1795314591.24378" });
    expect(await store.collect?.({ before: new Date("2020-01-01"), dryRun: false })).toEqual([]);
    const before = new Date("2100-01-01");
    expect(await store.collect?.({ before, dryRun: true })).toEqual([{ key: left, bytes: 3 }]);
    expect(await store.collect?.({ before, dryRun: false })).toEqual([{ key: left, bytes: 3 }]);
    expect([...cloud.objects.keys()]).toEqual(["c/a"]);
  });

  it("keeps segments that a manifest of another object names, and that one's own", async () => {
    const store = await open();
    await store.put("a", large());
    const first = [...cloud.objects.keys()].find((path) => path.endsWith("/00000"));
    const manifest = [{ name: `/${first}` }];
    const copy = {
      body: Buffer.from("x"),
      headers: { "x-static-large-object": "True" },
      manifest,
      timestamp: "1795314591.24378",
    };
    cloud.objects.set("c/copy", copy);
    // As when somebody renames it: the manifest alone is copied, and the first one deleted.
    cloud.objects.delete("c/a");
    const before = new Date("2100-01-01");
    expect(await store.collect?.({ before, dryRun: false })).toEqual([]);
    await store.delete("copy");
    expect([...cloud.objects.keys()]).toHaveLength(2);
    expect(await store.collect?.({ before, dryRun: false })).toMatchObject([{ bytes: MEBIBYTES << 20 }]);
    expect([...cloud.objects.keys()]).toEqual([]);
  });

  it("is deleted with its segments although some of it is in its manifest", async () => {
    const store = await open();
    await store.put("a", large());
    const manifest = [{ data: "eA==" }, { name: "/c/.cais-segments/a/x/00000" }];
    meddleOnce(isGet, (_, answer) => {
      answer.end(JSON.stringify(manifest));
      return "taken";
    });
    await store.delete("a");
    const deleted = cloud.got.find(({ method }) => method === "DELETE");
    expect([deleted?.path, deleted?.query.get("multipart-manifest")]).toEqual(["c/a", "delete"]);
  });

  it("keeps its segments from names that would lead to them", async () => {
    const store = await open();
    await store.put("a", large());
    const segments = [...cloud.objects.keys()].filter((path) => path !== "c/a");
    for (const path of segments) {
      const body = Buffer.from("x");
      cloud.objects.set(path.replace("/", "/.cais-segments/../"), { body, headers: {}, timestamp: "1795314591.24378" });
    }
    expect(await store.collect?.({ before: new Date("2100-01-01"), dryRun: false })).toEqual([]);
    expect([...cloud.objects.keys()]).toEqual(expect.arrayContaining(segments));
    for (const key of [".cais-segments/a", ".cais-segments0"])
      await expect(store.put(key, pieces("x"))).rejects.toThrow("of a reserved folder");
  });
});

it("lists a container that gives three objects at a time", async () => {
  const store = await open();
  const keys = Array.from({ length: 8 }, (_, nth) => `k/${nth}`);
  for (const key of keys) await store.put(key, pieces(key));
  await store.put("large", large());
  expect((await Array.fromAsync(store.list("k"), ({ key }) => key)).toSorted()).toEqual(keys);
  const [listed] = await Array.fromAsync(store.list("large-not"));
  expect(listed).toBeUndefined();
  cloud.objects.set("c/k//x", { body: Buffer.from("x"), headers: {}, timestamp: "1795314591.24378" });
  const others: string[] = [];
  for await (const object of store.list("", (name) => others.push(name)))
    expect(await store.head(object.key)).toEqual(object);
  expect(others).toEqual(["k//x"]);
});
