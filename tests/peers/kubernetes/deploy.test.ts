import { execFile, execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify, stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { cliVersion } from "../../../planner/recorded/cli.ts";
import { apiOf, type Call } from "./api.ts";
import { standInForNode } from "./node.ts";
import { readApi } from "./peer.ts";

const LONG = 900_000;
const stack = "test";
const hasPlugin = (() => {
  try {
    return execFileSync("which", ["pulumi-resource-kubernetes"]).length > 0;
  } catch {
    return false;
  }
})();
const here = cliVersion() !== undefined && hasPlugin;

const List = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string(), uid: z.string() }),
      spec: z.looseObject({}).optional(),
      data: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

// One file: each step begins where the one before it ended.
describe.skipIf(!here)("pulumi up (skipped without pulumi and pulumi-resource-kubernetes on PATH)", () => {
  let folder = "";
  let call: Call;
  const gone = new AbortController();
  let node: Promise<void>;

  async function pulumi(...args: string[]): Promise<string> {
    const env = {
      ...process.env,
      PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env["PATH"]}`,
      PULUMI_BACKEND_URL: `file://${path.join(folder, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "not-a-secret",
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
    const options = { cwd: folder, env, maxBuffer: 64e6 };
    const common = ["--stack", stack, "--non-interactive", "--color", "never"];
    try {
      return stripVTControlCharacters((await promisify(execFile)("pulumi", [...args, ...common], options)).stdout);
    } catch (cause) {
      const { stdout = "", stderr = "" } = cause as { stdout?: string; stderr?: string };
      throw new Error(`pulumi ${args.join(" ")} failed:\n${stdout}\n${stderr}`, { cause });
    }
  }
  const set = async (values: Record<string, string>) => {
    for (const [key, value] of Object.entries(values)) await pulumi("config", "set", key, value);
  };
  const up = () => pulumi("up", "--yes", "--skip-preview", "--suppress-outputs");
  const namespaces = async () => {
    const { items } = List.parse(
      JSON.parse((await call("GET", "/api/v1/namespaces?labelSelector=app.kubernetes.io/name=cais")).text),
    );
    return items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith("processor-"));
  };
  const inIt = async (plural: string) => {
    const [namespace] = await namespaces();
    return List.parse(JSON.parse((await call("GET", `/api/v1/namespaces/${namespace}/${plural}`)).text)).items;
  };
  const own = async (plural: string, prefix: string) =>
    (await inIt(plural)).filter(({ metadata }) => metadata.name.startsWith(prefix));

  beforeAll(async () => {
    call = apiOf(await readApi());
    const peers = path.join(import.meta.dirname, "..", "..", "..", ".cais", "peers");
    await mkdir(peers, { recursive: true });
    folder = await mkdtemp(path.join(peers, "pods-"));
    await mkdir(path.join(folder, "state"));
    await symlink(path.join(import.meta.dirname, "program"), path.join(folder, "program"));
    await writeFile(
      path.join(folder, "Pulumi.yaml"),
      "name: pods\nmain: program/main.ts\nruntime: { name: nodejs, options: { typescript: false } }\n",
    );
    await cp(path.join(peers, "kubernetes", "kubeconfig.json"), path.join(folder, "kubeconfig.json"));
    await pulumi("stack", "init");
    await set({
      kubeconfig: path.join(folder, "kubeconfig.json"),
      stateGB: "30",
      digest: "0".repeat(64),
      environment: "prod",
    });
    await pulumi("config", "set", "--secret", "token", "a-token");
    node = standInForNode(call, gone.signal);
  }, LONG);
  afterAll(async () => {
    gone.abort();
    await node;
    await rm(folder, { recursive: true, force: true });
  });

  it("makes all of it, and finds nothing to do afterwards", { timeout: LONG }, async () => {
    await up();
    expect(await namespaces()).toHaveLength(1);
    const [pod] = await inIt("pods");
    const [config] = await own("configmaps", "processor-config");
    const [secrets] = await own("secrets", "processor-secrets");
    const [claim] = await inIt("persistentvolumeclaims");
    expect(JSON.parse(config?.data?.["config.json"] ?? "")).toMatchObject({ environment: "prod" });
    expect(secrets?.data).toEqual({ "api-token": Buffer.from("a-token").toString("base64") });
    expect(pod?.spec).toMatchObject({
      volumes: [
        { configMap: { name: config?.metadata.name } },
        { secret: { secretName: secrets?.metadata.name } },
        { persistentVolumeClaim: { claimName: claim?.metadata.name } },
        { emptyDir: {} },
      ],
    });
    await pulumi("preview", "--refresh", "--expect-no-changes", "--suppress-outputs");
  });

  it.each<[string, string[]]>([
    ["config", ["config", "set", "environment", "staging"]],
    ["secret", ["config", "set", "--secret", "token", "another"]],
    ["image", ["config", "set", "digest", "1".repeat(64)]],
  ])("restarts the pod with another %s, and leaves its disk alone", { timeout: LONG }, async (_, change) => {
    const [[claim], [before]] = [await inIt("persistentvolumeclaims"), await inIt("pods")];
    await pulumi(...change);
    await up();
    const after = await inIt("pods");
    expect(after).toHaveLength(1);
    expect(after[0]?.metadata.uid).not.toBe(before?.metadata.uid);
    expect((await inIt("persistentvolumeclaims")).map(({ metadata }) => metadata.uid)).toEqual([claim?.metadata.uid]);
    // What was replaced is gone.
    expect([await own("configmaps", "processor-config"), await own("secrets", "processor-secrets")]).toEqual([
      [expect.anything()],
      [expect.anything()],
    ]);
  });

  it("deletes its disk's claim only with both switches, and then leaves nothing", { timeout: LONG }, async () => {
    await expect(pulumi("destroy", "--yes", "--suppress-outputs")).rejects.toThrow(
      /processor-state.* cannot be deleted/,
    );
    expect(await inIt("pods")).toHaveLength(1);
    await set({ "cais:allowDataDeletion": "true" });
    await up();
    await pulumi("destroy", "--yes", "--suppress-outputs");
    expect(await namespaces()).toEqual([]);
  });
});
