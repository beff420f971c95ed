import { rm } from "node:fs/promises";
import { Run, Runs, TableRows, Upload } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { configOf, ended, salesStack, send, testFolder } from "../processor-for-tests.ts";
import { processorProcess } from "./child-for-tests.ts";

let folder: string;
let child: ReturnType<typeof processorProcess>;
beforeEach(async () => {
  folder = await testFolder("replay");
  child = processorProcess(folder);
});
afterEach(async () => {
  await child.kill();
  await rm(folder, { recursive: true });
});

/** A stack that takes numbers up to `max`. Every row of every file has an id of its own. */
const numbers = (max: number) =>
  configOf({
    ...salesStack({
      name: "numbers",
      contract: {
        columns: [
          { name: "id", type: "integer", required: true },
          { name: "n", type: "integer", max },
        ],
      },
      tables: [
        { name: "taken", layer: "silver", sql: "taken.sql", disposition: "append" },
        { name: "counted", layer: "gold", sql: "counted.sql", disposition: "replace" },
      ],
      sinks: [{ csv: { table: "taken", to: "out/taken.csv" } }],
    }),
    sql: { "taken.sql": "SELECT id, n FROM input", "counted.sql": "SELECT count(*) AS rows FROM taken" },
  });

/** Random numbers from 0 to 1 that are the same for a seed (mulberry32, public domain). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const idle = (run: Run) => run.state !== "queued" && run.state !== "running";
const json = async (url: string): Promise<unknown> => (await fetch(url)).json();
const allRuns = async (url: string) => Runs.parse(await json(`${url}/v1/runs?limit=500`)).runs;

async function settled(url: string): Promise<Run[]> {
  for (;;) {
    const runs = await allRuns(url);
    if (runs.every(idle)) return runs;
    await ended(url, runs.findLast((run) => !idle(run))?.id ?? "");
  }
}

/** The rows of a file that are open, as people get them to edit: the title line and a line for each. */
async function editable(url: string, id: string): Promise<string[]> {
  const response = await fetch(`${url}/v1/runs/${id}/rejected?format=editable`);
  return response.ok ? (await response.text()).trimEnd().split("\r\n") : [];
}

function replay(url: string, id: string, lines?: string[]): Promise<Response> {
  if (lines === undefined) return fetch(`${url}/v1/runs/${id}/replays`, { method: "POST" });
  const form = new FormData();
  form.append("file", new Blob([lines.join("\r\n")]), "corrected.csv");
  return fetch(`${url}/v1/runs/${id}/replays`, { method: "POST", body: form });
}

it.each([1, 3])(
  "keeps every row once, in the table or open, whatever is done to the files (seed %i)",
  async (seed) => {
    const random = randomOf(seed);
    const below = (end: number) => Math.floor(random() * end);
    const pick = <T>(items: T[]): T => {
      const item = items[below(items.length)];
      if (item === undefined) throw new Error("There is nothing to pick.");
      return item;
    };
    const files: { root: string; ids: number[] }[] = [];
    let max = 100;
    await child.writeConfig(numbers(max));
    let url = await child.start();

    async function upload(): Promise<void> {
      const ids = Array.from({ length: 2 + below(6) }, (_, index) => (files.length + 1) * 1000 + index);
      const rows = ids.map((id) => `${id},${pick(["1", "50", "500", "5000", "x", "7,8"])}`);
      const { id } = Upload.parse(await (await send(url, "numbers", `id,n\n${rows.join("\n")}\n`)).json());
      files.push({ root: id, ids });
    }
    async function correct(): Promise<void> {
      const { root } = pick(files);
      const [titles = "", ...lines] = await editable(url, root);
      const mended = lines
        .filter(() => random() < 0.6)
        .map((line) => {
          const [row = ""] = line.split(",");
          const file = files.find((one) => one.root === root);
          // Row 1 is the header; the id is told again, as a row that has no cells lacks it.
          return `${row},,,${file?.ids[Number(row) - 2]},${pick(["2", "2", "600", "y"])}`;
        });
      if (mended.length > 0) await replay(url, root, [titles, ...mended]);
    }
    async function correctWrongly(): Promise<void> {
      const { root } = pick(files);
      const [titles, ...lines] = await editable(url, root);
      if (titles === undefined || lines[0] === undefined) return;
      const [row = ""] = lines[0].split(",");
      const wrong = pick([[`${row},,,9,1`, `${row},,,9,1`], ["99,,,9,1"], ["x,,,9,1"]]);
      const before = await settled(url);
      const response = await replay(url, root, [titles, ...wrong]);
      if (response.status !== 202) return;
      const run = await ended(url, Run.parse(await response.json()).id);
      // What was never loaded may be corrected as a whole, and is unreadable just the same.
      expect(before.some(({ id, open }) => id === root && open !== null)).toBe(true);
      expect(run).toMatchObject({ state: "quarantined", error: expect.stringContaining("nothing of them was loaded") });
    }
    const steps: (() => Promise<unknown>)[] = [
      upload,
      correct,
      correct,
      correctWrongly,
      () => replay(url, pick(files).root),
      () => fetch(`${url}/v1/runs/${pick(files).root}/reruns`, { method: "POST" }),
      () => fetch(`${url}/v1/stacks/numbers/reruns?all=true`, { method: "POST" }),
      () => settled(url),
      async () => {
        max = pick([100, 1000]);
        await child.writeConfig(numbers(max));
        await child.kill(pick(["SIGKILL", "SIGTERM"]));
        url = await child.start();
      },
    ];
    await upload();
    await upload();
    for (let n = 0; n < 30; n++) await pick(steps)();

    const runs = await settled(url);
    const { data } = TableRows.parse(await json(`${url}/v1/tables/numbers/taken?limit=1000`));
    const taken = data.map(({ id }) => Number(id));
    for (const { root, ids } of files) {
      const run = runs.find(({ id }) => id === root);
      const lines = run?.open?.scope === "rows" ? (await editable(url, root)).slice(1) : [];
      const open = run?.open?.scope === "file" ? ids : lines.map((line) => ids[Number(line.split(",")[0]) - 2]);
      const there = taken.filter((id) => ids.includes(id));
      expect([...there, ...open].toSorted(), `rows of ${root}`).toEqual(ids);
    }
    expect(TableRows.parse(await json(`${url}/v1/tables/numbers/counted`)).data).toEqual([{ rows: taken.length }]);
    // Nothing broke off but what the test killed, and no file was taken for what kills the processor.
    expect(runs.filter(({ error }) => error?.includes("broke off"))).toEqual([]);
  },
  120_000,
);
