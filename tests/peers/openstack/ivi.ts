import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ended, send, testFolder } from "@cais/processor/src/processor-for-tests.ts";
import { type PowerBi, startPowerBi } from "@cais/processor/src/sinks/bi/power-bi-for-tests.ts";
import { type Run, Runs, Upload } from "@cais/spec/api.ts";
import { QueryAnswer } from "@cais/spec/query.ts";
import { expect } from "vitest";
import { type Child, startProcessor } from "../../crash/processor.ts";
import { deploy, type Deployment } from "./deployment.ts";
import { type KeystoneSession, logIn } from "./calls.ts";
import { openLab, type OpenStack } from "./lab.ts";

/** What takes seconds alone takes this long on a busy machine, in ms. */
export const PATIENCE = { timeout: 150_000, interval: 250 };

/** Longer than what is waited for, so that a test says what it was. */
export const LIMITS = { testTimeout: 400_000, hookTimeout: 400_000 };

/** `ivi` as it is deployed on OpenStack: its containers, its credential, and its processor in a process of its own. */
export interface Ivi extends Omit<Deployment, "session"> {
  lab: OpenStack;
  bi: PowerBi;
  folder: string;
  processor: Child;
  url(): string;
  /** Starts the processor again, after it was stopped or killed. */
  start(): Promise<void>;
  /** Sends a file by the API, and waits until its run has ended. */
  ingest(content: string, name: string): Promise<Run>;
  /** Of `demo`, who owns all of it. */
  session(): KeystoneSession;
  /** Gets `demo` another token. */
  logInAgain(): Promise<void>;
  /** Calls the account in Swift as the user `demo`. */
  swift(method: string, path: string, request?: Pick<RequestInit, "body" | "headers">): Promise<Response>;
  /** Every run, the newest first. */
  runs(): Promise<Run[]>;
  /** Asks in SQL; every cell is text. */
  query(sql: string): Promise<(string | null)[][]>;
  stop(): Promise<void>;
}

/** Deploys ivi and starts its processor, with its page if that is asked for. */
export async function startIvi({ page }: { page?: string } = {}): Promise<Ivi> {
  const lab = await openLab();
  const folder = await testFolder("ivi-swift");
  const bi = await startPowerBi(Date.now);
  const secrets = { "powerbi-url": bi.restUrl, "powerbi-app": bi.credential };
  const deployment = await deploy(lab, "ivi", folder, secrets);
  await allowTempUrls(lab, deployment, folder);
  if (page !== undefined) await keepNoVersions(lab, deployment);
  await mkdir(join(folder, "data"));
  await writeFile(join(folder, "config.json"), JSON.stringify(deployment.config));
  let { session } = deployment;
  const ivi: Ivi = {
    ...deployment,
    lab,
    bi,
    folder,
    processor: await startProcessor({ folder, ...(page !== undefined && { page }) }),
    url() {
      const { url } = ivi.processor;
      if (url === undefined) throw new Error(`The processor does not run:\n${ivi.processor.said()}`);
      return url;
    },
    async start() {
      ivi.processor = await startProcessor({ folder });
      ivi.url();
    },
    async ingest(content, name) {
      const answer = await send(ivi.url(), "ivi", content, name);
      return ended(ivi.url(), Upload.parse(await answer.json()).id);
    },
    session: () => session,
    async logInAgain() {
      session = await logIn(lab, lab.demo.user, lab.demo.password, lab.demo.project);
    },
    async swift(method, path, { headers = {}, ...request } = {}) {
      const own = { "X-Auth-Token": session.token, ...headers };
      return fetch(`${lab.storageUrl}${path}`, { ...request, method, headers: own });
    },
    async runs() {
      return Runs.parse(await (await fetch(`${ivi.url()}/v1/runs?stack=ivi&limit=100`)).json()).runs;
    },
    async query(sql) {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(`${ivi.url()}/v1/query`, { method: "POST", headers, body: JSON.stringify({ sql }) });
      return QueryAnswer.parse(await answer.json()).data;
    },
    async stop() {
      if (ivi.processor.isAlive()) await ivi.processor.end("SIGTERM");
      await bi.close();
      await rm(folder, { recursive: true });
    },
  };
  ivi.url();
  return ivi;
}

/** The page puts files into a container that keeps no versions alone: in others Swift takes half a file for the whole. */
async function keepNoVersions({ storageUrl }: OpenStack, { containers, session }: Deployment): Promise<void> {
  const headers = { "X-Auth-Token": session.token, "X-Versions-Enabled": "false" };
  const { status } = await fetch(`${storageUrl}/${containers["ivi-input"]}`, { method: "POST", headers });
  if (status !== 204) throw new Error(`The input container keeps versions: ${status}`);
}

/** Gives the input container a key for temporary addresses, as its operator may. */
async function allowTempUrls({ storageUrl }: OpenStack, { config, containers, session }: Deployment, folder: string) {
  const key = randomBytes(24).toString("hex");
  const headers = { "X-Auth-Token": session.token, "X-Container-Meta-Temp-URL-Key": key };
  const answer = await fetch(`${storageUrl}/${containers["ivi-input"]}`, { method: "POST", headers });
  const input = config.stacks["ivi"]?.stores.input;
  if (!answer.ok || input?.driver !== "swift") throw new Error(`The input container took no key: ${answer.status}`);
  const path = join(folder, "secrets", "temp-url-key");
  await writeFile(path, key, { mode: 0o400 });
  input.tempUrlKey = { driver: "file", path };
}

/** The folder of this day. */
export const today = (): string => new Date().toISOString().slice(0, 10);

const header = "Parcela;Área (m²);Data;Árvore;Espécie;Família;DAP (cm);Altura (m)\n";

/** The inventory of one plot, with so many trees. */
export const inventory = (plot: number, trees: number): string =>
  header +
  Array.from(
    { length: trees },
    (_, n) => `P${plot};400;04/08/2025;${n + 1};Sloanea guianensis;Elaeocarpaceae;${10 + (n % 50)},5;8,7\n`,
  ).join("");

/** Holds that each of these files was loaded once, with all its rows: in its run, in bronze and in silver. */
export async function expectOnce(
  ivi: Ivi,
  files: Readonly<Record<string, { plot: number; trees: number }>>,
): Promise<void> {
  const names = Object.keys(files);
  await expect
    .poll(async () => {
      const runs = (await ivi.runs()).filter(({ file }) => names.includes(file.name));
      return runs.map(({ file, state }) => `${file.name} ${state}`).toSorted();
    }, PATIENCE)
    .toEqual(names.map((name) => `${name} done`).toSorted());
  const plots = Object.values(files).map(({ plot }) => `'P${plot}'`);
  const expected = Object.values(files).map(({ plot, trees }) => [`P${plot}`, String(trees)]);
  for (const table of ["trees_received", "trees"])
    expect(
      await ivi.query(
        `SELECT plot, count(*)::VARCHAR FROM ivi.${table} WHERE plot IN (${plots.join()}) GROUP BY plot ORDER BY plot`,
      ),
    ).toEqual(expected.toSorted(([a = ""], [b = ""]) => a.localeCompare(b)));
}
