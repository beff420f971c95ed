import { existsSync } from "node:fs";
import { once } from "node:events";
import { copyFile, cp, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Run, Runs, Tables } from "@cais/spec/api.ts";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { z } from "zod";
import { cais, scratch, start, sweep, type Started } from "./start.ts";

const root = join(import.meta.dirname, "..");
const sample = join(root, "stacks", "inmet", "sample.csv");
const broken = join(root, "stacks", "inmet", "sample.broken.csv");
const real = join(root, "..", "shared", "data", "inmet-a309-2023-2024.csv");

let data: string;
let processor: Started;
beforeAll(async () => {
  data = await scratch("end-to-end");
  processor = await start(data);
}, 60_000);
afterAll(async () => {
  await processor?.stop();
  await sweep(data);
});

const ask = async (path: string) => (await fetch(`${processor.url}${path}`)).json();

it("says where the page is, what to try next and how to stop", () => {
  expect(processor.welcome).toContain("Cais: dev on local, 2 stacks (inmet, ivi)");
  expect(processor.welcome).toContain(`npx cais ingest inmet stacks/inmet/sample.csv --wait --url ${processor.url}\n`);
  expect(processor.welcome).toContain("Stop with Ctrl-C. What was ingested stays.");
});

it("keeps its log to its owner", async () => {
  expect((await stat(join(data, "processor.log"))).mode & 0o777).toBe(0o600);
});

const tables = async () => Tables.parse(await ask("/v1/tables"));

describe("ingest", () => {
  it("sends a file, sees it through and ends with the counts, the outputs and [DONE]", async () => {
    const { code, stdout, stderr } = await cais(["ingest", "inmet", sample, "--wait", "--url", processor.url]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^sample\.csv {2}[\d.]+ kB {2}run \S+$/);
    expect(lines.filter((line) => / \d+\.\d\d s$/.test(line)).map((line) => line.trim().split(" ")[0])).toEqual([
      "contract",
      "tables/inmet",
      "tables/rain_by_day",
      "commit",
      "sinks/csv/inmet",
    ]);
    const { runs } = Runs.parse(await ask("/v1/runs?stack=inmet"));
    const { rows, outputs } = Run.parse(runs[0]);
    expect(rows.read).toBe((await readFile(sample, "utf8")).trimEnd().split("\n").length - 1);
    expect(rows.read).toBe(rows.clean + rows.rejected);
    expect(lines).toContain(`  ${rows.read} rows read: ${rows.clean} clean, ${rows.rejected} rejected`);
    for (const { location } of outputs) expect(stdout).toContain(location);
    expect(lines.at(-1)).toBe("[DONE]");
  });

  it("recognizes the same content and answers with the first run", async () => {
    // Their logs are written within two seconds of the commit.
    await expect
      .poll(async () => (await tables()).tables.filter(({ stack, version }) => stack === "inmet" && version === null), {
        timeout: 20_000,
      })
      .toEqual([]);
    const before = await tables();
    const copy = join(data, "another name.csv");
    await copyFile(sample, copy);
    const { code, stdout } = await cais(["ingest", "inmet", copy, "--wait", "--url", processor.url]);
    expect(code).toBe(0);
    expect(stdout).toContain("this content was sent before, as that run; --again loads it once more");
    expect(await tables()).toEqual(before);
  });

  it("goes on after a file that the stack does not take", async () => {
    const pdf = join(data, "report.pdf");
    await writeFile(pdf, "%PDF-1.7");
    const { code, stdout, stderr } = await cais(["ingest", "inmet", pdf, sample, "--url", processor.url]);
    expect(stderr).toContain("this one is called report.pdf");
    expect(stdout).toContain("sample.csv");
    expect(code).toBe(1);
  });

  it("says which files were not sent when none can be", async () => {
    const { code, stderr } = await cais(["ingest", "nowhere", sample, broken, "--url", processor.url]);
    expect(stderr).toContain('There is no stack "nowhere"');
    expect(stderr).toContain(`Not sent after ${sample}: ${broken}\n`);
    expect(code).toBe(1);
  });

  it("prints one object a line with --json", async () => {
    const { stdout } = await cais(["ingest", "inmet", sample, "--wait", "--json", "--url", processor.url]);
    expect(Run.parse(JSON.parse(stdout)).state).toBe("done");
  });

  it("keeps refused rows with their reasons", async () => {
    const { code, stdout } = await cais(["ingest", "inmet", broken, "--wait", "--json", "--url", processor.url]);
    expect(code).toBe(0);
    const run = Run.parse(JSON.parse(stdout));
    expect(run.rows.rejected).toBeGreaterThan(0);
    const rejected = await cais(["rejected", run.id, "--url", processor.url]);
    const rows = rejected.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { row: number; reason: string });
    expect(new Set(rows.map(({ row }) => row)).size).toBe(run.rows.rejected);
    expect(rows.every(({ reason }) => reason.length > 0)).toBe(true);
  });

  it.skipIf(!existsSync(real))("loads the real file: 17,545 read, 16,381 clean, 1,164 rejected", async () => {
    const { code, stdout } = await cais(["ingest", "inmet", real, "--wait", "--url", processor.url]);
    expect(code).toBe(0);
    expect(stdout).toContain("  17,545 rows read: 16,381 clean, 1,164 rejected\n");
    expect(stdout.endsWith("[DONE]\n")).toBe(true);
  });

  it.each([
    [["nowhere", sample], 1, /nowhere/],
    [["inmet", "no-such-file.csv"], 2, /^cais: there is no file no-such-file\.csv\n$/],
    [["inmet", "stacks"], 2, /^cais: stacks is not a file\n$/],
    [["inmet"], 2, /missing required argument 'file'/],
  ])("tells a mistake in a sentence: %s", async (args, expected, message) => {
    const { code, stderr } = await cais(["ingest", ...args, "--url", processor.url]);
    expect(stderr).toMatch(message);
    expect(code).toBe(expected);
  });

  it("says so when something else answers", async () => {
    const other = createServer((_, response) => response.end("<html>")).listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await cais(["runs", "--url", `http://127.0.0.1:${port}`]);
    other.close();
    expect(stderr).toContain("answered something else than expected; is it a Cais processor of this version?");
    expect(stderr).not.toContain("    at ");
    expect(code).toBe(1);
  });

  it("says how to start a processor when none answers", async () => {
    const { code, stderr } = await cais(["runs", "--url", "http://127.0.0.1:1"]);
    expect(stderr).toBe(
      "cais: no processor answers at http://127.0.0.1:1; start one with npm start, or name another with --url\n",
    );
    expect(code).toBe(1);
  });
});

describe("runs", () => {
  it("lists them, newest first, and shows one", async () => {
    const { stdout } = await cais(["runs", "--url", processor.url]);
    const { runs } = Runs.parse(await ask("/v1/runs"));
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ")[0]),
    ).toEqual(runs.map(({ id }) => id));
    const first = runs.at(-1);
    const { stdout: shown } = await cais(["runs", first?.id ?? "", "--url", processor.url]);
    expect(shown).toContain("inmet  sample.csv  done\n");
    expect(shown).toContain(`${first?.rows.clean} clean`);
  });

  it("names a run that is not there", async () => {
    const { code, stderr } = await cais(["runs", "nothing", "--url", processor.url]);
    expect(stderr).toMatch(/^cais: .*nothing/);
    expect(code).toBe(1);
  });

  it("says how a whole stack is run again when its name is taken for a run's", async () => {
    const { code, stderr } = await cais(["rerun", "inmet", "--url", processor.url]);
    expect(stderr).toContain("To run the files of a stack again, say --all, or --from and --to.");
    expect(code).toBe(1);
  });
});

describe("a file with broken rows", () => {
  let own: string;
  let processor: Started;
  let run: string;
  const at = (...args: string[]) => cais([...args, "--url", processor.url]);
  const told = async (...args: string[]) => Run.parse(JSON.parse((await at(...args, "--wait", "--json")).stdout));
  /** The days in the table, in order. */
  const days = async () => {
    const rows = await (await fetch(`${processor.url}/v1/tables/inmet/inmet.csv`)).text();
    const lines = rows.trimEnd().split("\r\n").slice(1);
    return lines.map((line) => line.split(",")[0] ?? "").toSorted();
  };
  beforeAll(async () => {
    own = await scratch("replay");
    processor = await start(own);
    run = (await told("ingest", "inmet", broken)).id;
  }, 60_000);
  afterAll(async () => {
    await processor?.stop();
    await sweep(own);
  });

  it("gives them to edit, in a new file", async () => {
    const shown = await at("runs", run);
    expect(shown.stdout).toContain("  13 rows are open: in no table. Correct and replay:\n");
    const file = join(own, "open.csv");
    const next = `${file} is written. Edit it, then: npx cais replay ${run} --with ${file} --wait\n`;
    expect(await at("rejected", run, "--editable", "--out", file)).toEqual({ code: 0, stdout: "", stderr: next });
    const content = await readFile(file, "utf8");
    expect(content.split("\r\n").map((line) => line.split(",")[0])).toEqual([
      "\uFEFFcais row",
      ...Array.from({ length: 13 }, (_, index) => String(index + 3)),
      "",
    ]);
    expect((await at("rejected", run, "--editable")).stdout).toBe(content);
    expect(await at("rejected", run, "--out", file)).toMatchObject({
      code: 2,
      stderr: `cais: ${file} is there already; remove it or name another\n`,
    });
    expect((await at("rejected", run, "--csv")).stdout.split("\r\n")[0]).toBe("row,member,column,reason,value,text");
  });

  it("loads them as corrected, none twice, and keeps the others open", async () => {
    const file = join(own, "corrected.csv");
    const [titles = "", missing = "", wrong = "", ...others] = (await readFile(join(own, "open.csv"), "utf8")).split(
      "\r\n",
    );
    const rows = [missing.replace(",,,", ",,2023-01-05,"), wrong.replace("01/01/2023", "2023-01-06")];
    await writeFile(file, [titles, ...rows, ...others].join("\n"));
    const first = await at("replay", run, "--with", file, "--wait");
    expect(first.stdout).toContain("  13 rows read: 2 clean, 11 rejected\n");
    expect(first.stdout.endsWith("[DONE]\n")).toBe(true);
    expect(await days()).toEqual(["2023-01-01", "2023-01-01", "2023-01-05", "2023-01-06"]);
    // What went through is open no more, so sending it once more loads nothing.
    const second = await at("replay", run, "--with", file, "--wait");
    expect(second.stdout).toContain("quarantined: The corrected rows cannot be taken, and nothing of them was loaded.");
    expect(second.code).toBe(1);
    expect(await days()).toHaveLength(4);
    const list = await at("runs", "--file", run, "--kind", "replay");
    expect(list.stdout.match(/  replay/g)).toHaveLength(2);
    expect(list.stdout).toContain("2 clean, 11 rejected, 11 open");
  });

  it("is run again with its corrections after its SQL was changed", async () => {
    const plan = await cais(["plan", "dev", "--json"]);
    const { outputs } = z.object({ outputs: z.object({ processor: ProcessorConfig }) }).parse(JSON.parse(plan.stdout));
    const { inmet } = outputs.processor.stacks;
    if (inmet === undefined) throw new Error("The plan lacks inmet.");
    inmet.sql["clean.sql"] = "SELECT * REPLACE (DATA + 365 AS DATA) FROM input";
    const config = join(own, "config.json");
    await writeFile(config, JSON.stringify(outputs.processor));
    await processor.stop();
    processor = await start(own, ["--config", config]);
    const rerun = await told("rerun", "inmet", "--all");
    expect(rerun).toMatchObject({
      kind: "rerun",
      root: run,
      state: "done",
      rows: { read: 15, clean: 4, rejected: 11 },
    });
    expect(await days()).toEqual(["2024-01-01", "2024-01-01", "2024-01-05", "2024-01-06"]);
    expect((await at("rerun", run, "--wait")).stdout).toContain("  15 rows read: 4 clean, 11 rejected\n");
    expect(await days()).toHaveLength(4);
    expect((await at("rerun", "inmet", "--to", "2020-01-01")).stdout).toBe(
      "No file of inmet was received then, so there is nothing to run again.\n",
    );
  });

  it("leaves nothing behind that would have to be collected", async () => {
    expect((await at("gc", "--dry-run")).stdout).toBe("There is nothing to remove.\n");
    expect(JSON.parse((await at("gc", "--json")).stdout)).toEqual({ dryRun: false, objects: [] });
  });

  it.each([
    [["replay", "nothing"], 1, /^cais: Not Found: There is no run "nothing"/],
    [["replay", "x", "--with", "no-such-file.csv"], 2, /^cais: there is no file no-such-file\.csv\n$/],
    [["rerun", "inmet", "--all", "--from", "2024-01-01"], 2, /^cais: --all goes without --from and --to/],
    [["rerun", "inmet", "--from", "yesterday"], 1, /from: must be a date such as 2024-01-31/],
    [["rejected", "x", "--csv", "--editable"], 2, /cannot be used with option/],
  ])("tells a mistake in a sentence: %s", async (args, expected, message) => {
    const { code, stderr } = await at(...args);
    expect(stderr).toMatch(message);
    expect(code).toBe(expected);
  });
});

describe("start", () => {
  it("stops gracefully on Ctrl-C and finds everything again", async () => {
    const before = [await ask("/v1/runs"), await ask("/v1/tables")];
    expect(await processor.stop()).toBe(0);
    processor = await start(data);
    expect([await ask("/v1/runs"), await ask("/v1/tables")]).toEqual(before);
  });

  it("refuses an address that is not loopback without a token, and asks for it with one", async () => {
    const other = await scratch("token");
    try {
      await expect(start(other, ["--host", "0.0.0.0"])).rejects.toThrow(/token/);
      const token = "a-token-of-at-least-thirty-two-characters";
      const open = await start(other, ["--host", "0.0.0.0"], { CAIS_TOKEN: token });
      const address = new URL(open.url);
      const url = `http://127.0.0.1:${address.port}`;
      expect((await fetch(`${url}/v1/runs`)).status).toBe(401);
      expect((await fetch(`${url}/v1/runs`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
      expect((await cais(["runs", "--url", url])).stderr).toContain("CAIS_TOKEN");
      expect((await cais(["runs", "--url", url], { CAIS_TOKEN: token })).code).toBe(0);
      await open.stop("SIGTERM");
    } finally {
      await sweep(other);
    }
  });

  it("says where a secret of another target is to be", async () => {
    const other = await scratch("openstack");
    try {
      const { code, stderr } = await cais(["start", "--data", other, "--stack", "prod-openstack"]);
      expect(stderr).toContain(
        "cais: The secret file /run/cais/secrets/store-credential.json cannot be read; put the secret there.",
      );
      expect(code).toBe(1);
    } finally {
      await sweep(other);
    }
  });

  it.each([
    [["--port", "x"], "must be a whole number from 0 to 65535"],
    [["--config", "no-such.json"], "the config no-such.json cannot be read"],
    [["--config", "package.json"], "The config package.json is not right"],
    [["--stack", "nowhere"], "nowhere"],
  ])("tells a mistake in a sentence: %s", async (args, message) => {
    const { code, stderr } = await cais(["start", "--data", data, ...args]);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("    at ");
    expect(code).not.toBe(0);
  });
});

describe("validate", () => {
  it("accepts every stack there is", async () => {
    const { code, stdout } = await cais(["validate"]);
    expect(stdout).toMatch(/^\d+ stacks?, all valid\n$/);
    expect(code).toBe(0);
  });

  it.each(["", ".", "stack.schema.json", "/etc"])("finds no stack %j", async (name) => {
    const { code, stderr } = await cais(["validate", name]);
    expect(stderr).toContain(`cais: there is no stack "${name}"; `);
    expect(code).toBe(2);
  });

  it("finds SQL that no run could get past, at its line", async () => {
    const folder = join(data, "copies", "inmet");
    await cp(join(root, "stacks", "inmet"), folder, { recursive: true });
    await writeFile(join(folder, "clean.sql"), "SELECT *,\n  nothing\nFROM input;\n");
    const { code, stderr } = await cais(["validate", folder]);
    expect(stderr).toMatch(
      /^copies\/inmet\/clean\.sql:2:1: tables\[0\]\.sql: Binder Error: Referenced column "nothing" not found/,
    );
    expect(code).toBe(1);
  });

  it("suggests the stack that was meant", async () => {
    const { code, stderr } = await cais(["validate", "inmte"]);
    expect(stderr).toBe('cais: there is no stack "inmte"; did you mean "inmet"?\n');
    expect(code).toBe(2);
  });
});

it("prints help for every command", async () => {
  const commands = ["start", "ingest", "runs", "rejected", "replay", "rerun", "gc", "validate", "plan", "check"];
  const { stdout } = await cais(["--help"]);
  for (const command of commands) expect(stdout).toContain(`  ${command} `);
  const helps = await Promise.all(commands.map((command) => cais([command, "--help"])));
  expect(helps.map((help) => help.stdout.split("\n")[0]?.split(" ").slice(0, 3).join(" "))).toEqual(
    commands.map((command) => `Usage: cais ${command}`),
  );
});
