import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { RejectedRow, TempUpload } from "@cais/spec/api.ts";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { startReferee } from "../referee.ts";
import { s3Call } from "../s3-call.ts";
import { expectOnce, type Ivi, inventory, LIMITS, PATIENCE, startIvi, today } from "./ivi.ts";

const run = promisify(execFile);

vi.setConfig(LIMITS);

let ivi: Ivi;
beforeAll(async () => {
  ivi = await startIvi();
});
afterAll(async () => {
  await ivi?.stop();
});

const sample = (file: string) => readFile(resolve("stacks/ivi", file), "utf8");
const containerOf = (role: "input" | "lake" | "output") => `/${ivi.containers[`ivi-${role}`]}`;

it("keeps the whole of ivi in three containers, of which none may be read by others", async () => {
  expect(Object.keys(ivi.containers).toSorted()).toEqual(["ivi-input", "ivi-lake", "ivi-output"]);
  const stores = Object.values(ivi.config.stacks["ivi"]?.stores ?? {});
  expect(stores.map(({ driver }) => driver)).toEqual(["swift", "swift", "swift"]);
  const stranger = { "X-Auth-Token": "" };
  expect((await ivi.swift("GET", containerOf("lake"), { headers: stranger })).status).toBe(401);
});

it("takes a file by the API, as the page sends it, and reckons the index", async () => {
  expect(await ivi.ingest(await sample("sample.csv"), "inventario.csv")).toMatchObject({
    state: "done",
    error: null,
    rows: { read: 127, clean: 127, rejected: 0 },
  });
  const [first] = await ivi.query("SELECT species, ivi FROM ivi.importance ORDER BY ivi DESC LIMIT 1");
  expect(first).toEqual(["Sloanea guianensis", "46.3038"]);
});

it("has the treated CSV in the output container", async () => {
  await expect
    .poll(async () => (await ivi.swift("GET", `${containerOf("output")}/processed/ivi.csv`)).status, PATIENCE)
    .toBe(200);
  const answer = await ivi.swift("GET", `${containerOf("output")}/processed/ivi.csv`);
  const lines = (await answer.text()).split("\r\n");
  expect(lines[1]).toBe("Sloanea guianensis;Elaeocarpaceae;20;4;111,11;80,0;5,8739;15,748;8,0;22,5558;46,3038");
  expect(lines).toHaveLength(19);
});

it("has the index in BI, whose limits it keeps", async () => {
  await expect.poll(() => ivi.bi.rows.length, PATIENCE).toBe(17);
  expect(ivi.bi.rows[0]).toMatchObject({ species: "Sloanea guianensis", ivi: 46.3038 });
  expect(ivi.bi.answers.filter((answer) => !/ 20\d$/.test(answer))).toEqual([]);
});

it("tells the rows that it refuses, each at its place", async () => {
  const { id, rows } = await ivi.ingest(await sample("sample.broken.csv"), "quebrado.csv");
  expect(rows).toEqual({ read: 19, clean: 2, rejected: 17 });
  const lines = (await (await fetch(`${ivi.url()}/v1/runs/${id}/rejected`)).text()).trimEnd().split("\n");
  const [first] = lines.map((line) => RejectedRow.parse(JSON.parse(line)));
  expect(first).toMatchObject({ row: 3, column: "plot", reason: "is required, but empty" });
  expect(lines).toHaveLength(17);
});

it("finds what other clients put into the container: OpenStack's own, plain HTTP, and S3", async () => {
  const files = {
    "cliente.csv": { plot: 801, trees: 3 },
    "parcela ção.csv": { plot: 802, trees: 4 },
    "por s3.csv": { plot: 804, trees: 6 },
  };
  const own = join(ivi.folder, "cliente.csv");
  await writeFile(own, inventory(801, 3));
  const options = {
    env: { PATH: "/usr/bin:/bin", OS_CLOUD: "demo", OS_CLIENT_CONFIG_FILE: ivi.lab.clouds, HOME: ivi.folder },
  };
  const where = containerOf("input").slice(1);
  await run("/usr/bin/openstack", ["object", "create", "--name", `${today()}/cliente.csv`, where, own], options);
  const put = await ivi.swift("PUT", `${containerOf("input")}/${today()}/${encodeURIComponent("parcela ção.csv")}`, {
    body: inventory(802, 4),
  });
  expect(put.status).toBe(201);
  const s3 = { endpoint: ivi.lab.swift, region: ivi.lab.region, ...ivi.lab.accessKey };
  await s3Call(s3, "PUT", `${containerOf("input")}/${today()}/por s3.csv`, { body: inventory(804, 6) });
  await expectOnce(ivi, files);
});

it("takes a file that was put straight into the store by a temporary address", async () => {
  const asked = await fetch(`${ivi.url()}/v1/stacks/ivi/uploads?name=direto.csv`, { method: "POST" });
  const { url, confirm } = TempUpload.parse(await asked.json());
  expect((await fetch(url, { method: "PUT", body: inventory(803, 5) })).status).toBe(201);
  // 200: the monitor was quicker.
  expect([200, 202]).toContain((await fetch(`${ivi.url()}${confirm}`, { method: "POST" })).status);
  await expectOnce(ivi, { "direto.csv": { plot: 803, trees: 5 } });
});

/** Brings the lake's objects into a folder. */
async function download(lake: string): Promise<void> {
  const listed = await (await ivi.swift("GET", `${containerOf("lake")}?format=json`)).json();
  for (const { name } of listed as { name: string }[]) {
    const file = join(lake, name);
    await mkdir(dirname(file), { recursive: true });
    const path = name.split("/").map(encodeURIComponent).join("/");
    const answer = await ivi.swift("GET", `${containerOf("lake")}/${path}`);
    await writeFile(file, Buffer.from(await answer.arrayBuffer()));
  }
}

it("keeps tables that delta-rs reads once they are downloaded", async () => {
  const tables = ["trees_received", "trees", "importance"];
  const counted = await Promise.all(tables.map(async (table) => ivi.query(`SELECT count(*) FROM ivi.${table}`)));
  const referee = startReferee(process.env["CAIS_PYTHON"] ?? "", [resolve("tests/peers/delta/referee.py")]);
  let lake = "";
  // A commit counts at once, and is in the table's log a moment later.
  const seen = async () => {
    lake = await mkdtemp(join(ivi.folder, "lake-"));
    await download(lake);
    const counts = [];
    for (const table of tables) counts.push([[String((await referee.read(join(lake, table))).rows.length)]]);
    return counts;
  };
  try {
    await expect.poll(seen, PATIENCE).toEqual(counted);
    const { rows } = await referee.read(join(lake, "trees"), { where: "plot = 'P802'" });
    expect(rows).toHaveLength(4);
  } finally {
    await referee.stop();
  }
});

it("writes neither the credential nor a token into its log", async () => {
  const credential = await readFile(join(ivi.folder, "secrets", "store-credential.json"), "utf8");
  const { secret } = JSON.parse(credential) as { secret: string };
  const said = ivi.processor.said();
  expect(said).toContain('"msg":"listening"');
  expect(said).not.toContain(secret);
  // A fernet token begins like this: its first byte is the version, and the next ones are the highest of the time.
  expect(said).not.toMatch(/gAAAAA/);
});
