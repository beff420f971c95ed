import { execFile, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Cloud, secretId, unit } from "./cloud-for-tests.ts";

const script = fileURLToPath(new URL("vm/sync.py", import.meta.url));
const uid = process.getuid?.() || 10_001;

/** A folder that stands for the machine, with a systemctl that only writes down what it was told. */
class Machine {
  readonly root: string;
  constructor(root: string) {
    this.root = root;
  }

  at = (file: string) => path.join(this.root, file);

  async prepare(authUrl: string, secret = "right") {
    await mkdir(this.at("etc/systemd/system"), { recursive: true });
    await mkdir(this.at("etc/cais"), { recursive: true });
    await mkdir(this.at("bin"), { recursive: true });
    const identity = { authUrl, region: "here", container: "workloads", id: "an id", secret };
    await writeFile(this.at("etc/cais/identity.json"), JSON.stringify(identity));
    await writeFile(this.at("bin/systemctl"), `#!/bin/sh\necho "$@" >> "${this.at("told")}"\n`);
    await chmod(this.at("bin/systemctl"), 0o755);
  }

  async sync() {
    await rm(this.at("told"), { force: true });
    const env = { PATH: `${this.at("bin")}:${process.env["PATH"]}`, PYTHONDONTWRITEBYTECODE: "1" };
    const run = await new Promise<{ code: number; out: string; problems: string }>((resolve) => {
      execFile("python3", [script, this.root], { env }, (error, out, problems) =>
        resolve({ code: error === null ? 0 : Number(error.code), out, problems }),
      );
    });
    const told = await readFile(this.at("told"), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    return { ...run, told: told.split("\n").filter(Boolean) };
  }
}

/** What the machine tells its containers of its last sync, without the time. */
async function toldOf(machine: Machine): Promise<unknown> {
  const file = machine.at("run/cais/machine/sync.json");
  // A container's user must read it, and no container may change it.
  expect([(await stat(file)).mode & 0o777, (await stat(path.dirname(file))).mode & 0o777]).toEqual([0o444, 0o755]);
  const { at, ...told } = JSON.parse(await readFile(file, "utf8"));
  expect(z.iso.datetime().parse(at)).toMatch(/^\d{4}-/);
  expect(Math.abs(Date.now() - Date.parse(at))).toBeLessThan(3_600_000);
  return told;
}

const cloud = () => new Cloud(uid);
const restarted = (name: string) => ["daemon-reload", `restart --no-block cais-${name}.service`];

describe.skipIf(spawnSync("python3", ["--version"]).status !== 0)("sync.py (skipped without python3)", () => {
  let there = cloud();
  let machine = new Machine("");

  beforeEach(async () => {
    there = cloud();
    await there.start();
    await mkdir(".cais/tests", { recursive: true });
    machine = new Machine(await mkdtemp(path.resolve(".cais/tests/sync-")));
    await machine.prepare(`${there.url}/v3`);
  });
  afterEach(async () => {
    await there.stop();
    await rm(machine.root, { recursive: true });
  });

  it("places a workload's unit, config and secrets and starts it", async () => {
    there.put("processor");
    expect(await machine.sync()).toMatchObject({ code: 0, problems: "", told: restarted("processor") });
    const placed = async (file: string) => [
      await readFile(machine.at(file), "utf8"),
      (await stat(machine.at(file))).mode & 0o777,
    ];
    expect(await placed("etc/systemd/system/cais-processor.service")).toEqual([unit, 0o644]);
    expect(await placed("etc/cais/workloads/processor/config.json")).toEqual(['{"n": "é"}', 0o400]);
    const secrets = "run/cais/secrets/processor";
    expect(await placed(`${secrets}/store-credential.json`)).toEqual(['{"id":"a","secret":"b"}', 0o400]);
    expect((await stat(machine.at(secrets))).mode & 0o777).toBe(0o700);
    expect((await stat(machine.at("var/lib/cais/processor"))).mode & 0o777).toBe(0o700);
    expect((await stat(machine.at(`${secrets}/store-credential.json`))).uid).toBe(uid);
    expect(await toldOf(machine)).toEqual({ problems: 0 });
  });

  it("leaves alone what did not change, and asks for no secret again", async () => {
    there.put("processor");
    await machine.sync();
    there.requests = [];
    expect(await machine.sync()).toMatchObject({ code: 0, told: ["start --no-block cais-processor.service"] });
    expect(there.requests.filter((request) => request.includes("secrets"))).toEqual([]);
  });

  it("restarts what changed, takes away secrets that are named no more, and does all of it again after a boot", async () => {
    there.put("processor");
    await machine.sync();
    there.put("processor", { config: { n: 2 }, secrets: [] });
    expect(await machine.sync()).toMatchObject({ code: 0, told: restarted("processor") });
    expect(await readdir(machine.at("run/cais/secrets/processor"))).toEqual([]);
    await rm(machine.at("run"), { recursive: true });
    expect(await machine.sync()).toMatchObject({ code: 0, told: restarted("processor") });
  });

  it("places a login for Docker where the container does not look, certificates where it does, and takes both away", async () => {
    const login = { server: "registry.test", username: "robot", password: `https://other.test/v1/secrets/${secretId}` };
    there.secrets.set(secretId, "pass:wörd");
    there.put("processor", { registry: login, ca: "a certificate" });
    expect(await machine.sync()).toMatchObject({ code: 0, problems: "", told: restarted("processor") });
    const file = machine.at("run/cais/registry/processor/config.json");
    const auth = Buffer.from("robot:pass:wörd").toString("base64");
    expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ auths: { "registry.test": { auth } } });
    expect([(await stat(file)).mode & 0o777, (await stat(path.dirname(file))).mode & 0o777]).toEqual([0o400, 0o700]);
    const ca = machine.at("etc/cais/workloads/processor/ca.pem");
    expect([await readFile(ca, "utf8"), (await stat(ca)).uid]).toEqual(["a certificate", uid]);
    expect(await readdir(machine.at("run/cais/secrets/processor"))).toEqual(["store-credential.json"]);
    there.put("processor");
    expect(await machine.sync()).toMatchObject({ code: 0, told: restarted("processor") });
    expect(await readdir(path.dirname(file))).toEqual([]);
    expect(await readdir(path.dirname(ca))).toEqual(["config.json"]);
    there.objects.clear();
    await machine.sync();
    expect(await readdir(machine.at("run/cais/registry"))).toEqual([]);
  });

  it("waits while unit and workload do not fit", async () => {
    there.put("processor", { unitSha256: "0".repeat(64) });
    expect(await machine.sync()).toMatchObject({
      code: 1,
      told: [],
      problems: expect.stringContaining("its unit is not the one it names; an update is under way, or one did not end"),
    });
  });

  it("stops what is gone and keeps its state", async () => {
    there.put("processor");
    await machine.sync();
    await writeFile(machine.at("var/lib/cais/processor/ledger"), "kept");
    there.objects.clear();
    expect(await machine.sync()).toMatchObject({ code: 0, told: ["stop cais-processor.service", "daemon-reload"] });
    expect(await readFile(machine.at("var/lib/cais/processor/ledger"), "utf8")).toBe("kept");
    expect(await readdir(machine.at("etc/systemd/system"))).toEqual([]);
    expect(await readdir(machine.at("run/cais/secrets"))).toEqual([]);
  });

  it.each([
    [
      "a secret that is not there",
      { secrets: [{ file: "a", reference: `https://x/v1/secrets/${randomUUID()}` }] },
      "answered 404",
    ],
    [
      "a secret's file outside its folder",
      { secrets: [{ file: "../a", reference: secretId }] },
      "is no name for a secret's file",
    ],
    [
      "a reference that is none",
      { secrets: [{ file: "a", reference: "https://x/v1/secrets/../../v3" }] },
      "is no reference to a secret",
    ],
    ["root as its user", { uid: 0 }, "must be a number above 0"],
    ["certificates that are no text", { ca: 1 }, "its ca is no text"],
    ["a login that is none", { registry: { server: "s", username: 1, password: secretId } }, "has no attribute"],
    ["a later version", { version: 2 }, "this machine knows 1"],
  ])("refuses a workload with %s, and runs the others", async (_, change, problem) => {
    there.put("bad", change);
    there.put("good");
    expect(await machine.sync()).toMatchObject({
      code: 1,
      problems: expect.stringContaining(problem),
      told: restarted("good"),
    });
    expect(await readdir(machine.at("etc/systemd/system"))).toEqual(["cais-good.service"]);
    expect(await toldOf(machine)).toEqual({ problems: 1 });
  });

  it("finds workloads on every page of the listing, and takes no other object for one", async () => {
    for (const name of ["a-one", "b-two", "c-three"]) there.put(name);
    there.objects.set("../evil.json", "{}").set("README", "");
    const { told, code } = await machine.sync();
    expect(code).toBe(0);
    expect(told.filter((word) => word !== "daemon-reload")).toEqual(
      ["a-one", "b-two", "c-three"].map((name) => `restart --no-block cais-${name}.service`),
    );
  });

  it("stops nothing when the cloud cannot be asked", async () => {
    there.put("processor");
    await machine.sync();
    await machine.prepare(`${there.url}/v3`, "wrong");
    expect(await machine.sync()).toMatchObject({
      code: 1,
      told: [],
      problems: expect.stringContaining("answered 401"),
    });
    await machine.prepare("http://127.0.0.1:9/v3");
    expect(await machine.sync()).toMatchObject({
      code: 1,
      told: [],
      problems: expect.stringContaining("nothing looked at"),
    });
    expect(await toldOf(machine)).toEqual({ problems: 1 });
  });

  it("follows no redirect, which would carry its token along", async () => {
    there.put("processor");
    there.redirected = "/v1/AUTH_p/workloads/processor.json";
    expect(await machine.sync()).toMatchObject({ code: 1, problems: expect.stringContaining("answered 302") });
    expect(there.requests).not.toContain("GET /elsewhere");
  });
});
