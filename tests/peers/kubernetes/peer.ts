import { execFile } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { installDebianPackages } from "../debian-packages.ts";
import { type Peer, Unavailable } from "../peer.ts";
import { freePorts, startService, stopServices, until } from "../services.ts";
import { type Api, apiOf } from "./api.ts";

const folder = join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "kubernetes");
const host = "127.0.0.1";

/** What makes pods of a StatefulSet, says where a Service leads, and deletes what belongs to something. There is no node. */
const controllers = [
  "statefulset",
  "serviceaccount",
  "root-ca-certificate-publisher",
  "endpoints",
  "endpointslice",
  "namespace",
  "garbage-collector",
  "persistentvolumeclaim-protection",
].map((name) => `${name}-controller`);

/** A real Kubernetes API: it judges what it is asked for, as on any cluster. */
export const peer: Peer = {
  installs:
    "starts kube-apiserver and kube-controller-manager, where they are on the PATH, in .cais/peers/kubernetes (1 GB of memory); installs Debian's etcd-server with apt-get where it is not there",
  async prepare() {
    const [server, manager] = await Promise.all(["kube-apiserver", "kube-controller-manager"].map(placeOf));
    if (server === undefined || manager === undefined)
      throw new Unavailable("kube-apiserver and kube-controller-manager are not on the PATH");
    await stopServices(folder);
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, "log"), { recursive: true, mode: 0o700 });
    await installDebianPackages(["etcd-server"], join(folder, "log", "apt.log"));
    const ports = await freePorts(["etcd", "peers", "api", "manager"]);
    const api = { url: `https://${host}:${ports.api}`, ca: join(folder, "apiserver.crt"), token: random() };
    await writeKeys(api);
    const etcd = `http://${host}:${ports.etcd}`;
    const peers = `http://${host}:${ports.peers}`;
    await startService(folder, "etcd", [
      "etcd",
      `--data-dir=${join(folder, "etcd")}`,
      `--listen-client-urls=${etcd}`,
      `--advertise-client-urls=${etcd}`,
      `--listen-peer-urls=${peers}`,
      `--initial-advertise-peer-urls=${peers}`,
      `--initial-cluster=default=${peers}`,
    ]);
    await startService(folder, "kube-apiserver", [
      server,
      `--etcd-servers=${etcd}`,
      `--bind-address=${host}`,
      `--advertise-address=${host}`,
      // Else it would write itself down as a service, which it may not with a loopback address.
      "--endpoint-reconciler-type=none",
      `--secure-port=${ports.api}`,
      `--cert-dir=${folder}`,
      "--service-cluster-ip-range=10.96.0.0/24",
      "--authorization-mode=RBAC",
      `--token-auth-file=${join(folder, "tokens.csv")}`,
      `--service-account-issuer=${api.url}`,
      `--service-account-signing-key-file=${join(folder, "accounts.key")}`,
      `--service-account-key-file=${join(folder, "accounts.key")}`,
    ]);
    await until(folder, "kube-apiserver", "/readyz", async () => {
      const { status } = await apiOf(api)("GET", "/readyz");
      return status === 200;
    });
    await startService(folder, "kube-controller-manager", [
      manager,
      `--kubeconfig=${join(folder, "kubeconfig.json")}`,
      `--bind-address=${host}`,
      `--secure-port=${ports.manager}`,
      `--cert-dir=${folder}`,
      "--leader-elect=false",
      `--controllers=${controllers.join(",")}`,
      `--root-ca-file=${api.ca}`,
    ]);
    return { CAIS_KUBERNETES: join(folder, "api.json") };
  },
  stop: async () => stopServices(folder),
};

const random = () => randomBytes(24).toString("hex");

async function placeOf(program: string): Promise<string | undefined> {
  return promisify(execFile)("which", [program]).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
}

/** Writes what says who may call, and how. */
async function writeKeys(api: Api): Promise<void> {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const kubeconfig = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "lab", cluster: { server: api.url, "certificate-authority": api.ca } }],
    users: [{ name: "lab", user: { token: api.token } }],
    contexts: [{ name: "lab", context: { cluster: "lab", user: "lab" } }],
    "current-context": "lab",
  };
  const files = {
    "accounts.key": privateKey.export({ type: "pkcs1", format: "pem" }),
    "tokens.csv": `${api.token},lab,lab,"system:masters"\n`,
    "kubeconfig.json": JSON.stringify(kubeconfig),
    "api.json": JSON.stringify(api),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content, { mode: 0o600 });
}

/** The API that the tests call. */
export const readApi = async (): Promise<Api> =>
  JSON.parse(await readFile(process.env["CAIS_KUBERNETES"] ?? "", "utf8")) as Api;
