import { readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { startProcessor } from "@cais/processor/src/main.ts";
import { configOf, ended, engines, readStack, send, testFolder } from "@cais/processor/src/processor-for-tests.ts";
import { type PowerBi, startPowerBi } from "@cais/processor/src/sinks/bi/power-bi-for-tests.ts";
import { RejectedRow, type Run, TableRows, Upload } from "@cais/spec/api.ts";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
let bi: PowerBi;
async function startAnew() {
  folder = await testFolder("ivi");
  bi = await startPowerBi(Date.now);
  const config = configOf(await readStack("ivi"));
  const secrets = { "powerbi-url": bi.restUrl, "powerbi-app": bi.credential };
  for (const [name, value] of Object.entries(secrets)) {
    await writeFile(join(folder, name), value, { mode: 0o600 });
    const stack = config.stacks["ivi"];
    if (stack !== undefined) stack.secrets[name] = { driver: "file", path: name };
  }
  processor = await startProcessor({ ...config, allowPrivate: ["127.0.0.0/8"] }, { engines, dataFolder: folder });
}
async function stopAndRemove() {
  await processor.stop();
  await bi.close();
  await rm(folder, { recursive: true });
}

const textOf = (file: string) => readFile(resolve("stacks/ivi", file), "utf8");

async function ingest(content: string, name = "inventario.csv"): Promise<Run> {
  const { id } = Upload.parse(await (await send(processor.url, "ivi", content, name)).json());
  return ended(processor.url, id);
}
async function rowsOf(table: string): Promise<TableRows["data"]> {
  const response = await fetch(`${processor.url}/v1/tables/ivi/${table}?limit=10000`);
  return TableRows.parse(await response.json()).data;
}

interface Species {
  species: string;
  trees: number;
  plots: number;
  density: number;
  frequency: number;
  dominance: number;
}

const numberOf = (cell = "") => Number(cell.replace(",", "."));

/** The index from the text of an inventory alone, by its definition. No cell of the sample is quoted. */
function importanceOf(source: string): Species[] {
  const trees = source
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.split(";"))
    .map(([plot = "", , , , species = "", , dbh]) => ({ plot, species, section: Math.PI * (numberOf(dbh) / 200) ** 2 }));
  const found = [...Map.groupBy(trees, ({ species }) => species)].map(([species, own]) => ({
    species,
    trees: own.length,
    plots: new Set(own.map(({ plot }) => plot)).size,
    section: own.reduce((sum, { section }) => sum + section, 0),
  }));
  const sum = (key: "trees" | "plots" | "section") => found.reduce((total, one) => total + one[key], 0);
  return found.map(({ species, trees, plots, section }) => ({
    species,
    trees,
    plots,
    density: (100 * trees) / sum("trees"),
    frequency: (100 * plots) / sum("plots"),
    dominance: (100 * section) / sum("section"),
  }));
}

describe("the sample", () => {
  let source: string;
  let run: Run;
  beforeAll(async () => {
    await startAnew();
    source = await textOf("sample.csv");
    run = await ingest(source);
  });
  afterAll(stopAndRemove);

  it("reckons the importance value of every species of the sample, together 300", async () => {
    expect(run).toMatchObject({ state: "done", rows: { read: 127, clean: 127, rejected: 0 } });

    const importance = await rowsOf("importance");
    const expected = importanceOf(source).toSorted(
      (a, b) => b.density + b.frequency + b.dominance - (a.density + a.frequency + a.dominance),
    );
    expect(importance.map(({ species, trees, plots }) => [species, Number(trees), Number(plots)])).toEqual(
      expected.map(({ species, trees, plots }) => [species, trees, plots]),
    );
    let whole = 0;
    for (const [n, { density, frequency, dominance }] of expected.entries()) {
      // Four digits after the point are kept.
      expect(importance[n]?.["relative_density"]).toBeCloseTo(density, 4);
      expect(importance[n]?.["relative_frequency"]).toBeCloseTo(frequency, 4);
      expect(importance[n]?.["relative_dominance"]).toBeCloseTo(dominance, 4);
      expect(importance[n]?.["ivi"]).toBeCloseTo(density + frequency + dominance, 4);
      whole += Number(importance[n]?.["ivi"]);
    }
    expect(whole).toBeCloseTo(300, 2);

    // By a calculator: 127 trees on 1,800 m², 50 pairs of species and plot, 4.687523 m² of basal area. The two largest
    // trees stand before fourteen of another species.
    expect(importance.slice(0, 4).map((row) => Object.values(row).map((cell) => cell ?? ""))).toEqual([
      ["Sloanea guianensis", "Elaeocarpaceae", 20, 4, 111.11, 80, 5.8739, 15.748, 8, 22.5558, 46.3038],
      ["Euterpe edulis", "Arecaceae", 34, 5, 188.89, 100, 1.843, 26.7717, 10, 7.0772, 43.8489],
      ["Cariniana estrellensis", "Lecythidaceae", 2, 1, 11.11, 20, 7.3056, 1.5748, 2, 28.0534, 31.6282],
      ["Alchornea triplinervia", "Euphorbiaceae", 14, 5, 77.78, 100, 2.756, 11.0236, 10, 10.5829, 31.6065],
    ]);
  });

  it("keeps every tree as it was measured, with its basal area", async () => {
    const trees = await rowsOf("trees");
    expect(trees).toHaveLength(127);
    expect(trees.find(({ plot, tree }) => plot === "P01" && Number(tree) === 2)).toEqual({
      plot: "P01",
      tree: 2,
      measured_on: "2025-08-04",
      plot_area_m2: 400,
      species: "Guapira opposita",
      family: "Nyctaginaceae",
      dbh_cm: 17.5,
      height_m: 12,
      basal_area_m2: expect.closeTo(0.024053, 6),
    });
  });

  it("delivers the index as treated CSV", async () => {
    const lines = (await readFile(join(folder, "ivi/output/processed/ivi.csv"), "utf8")).split("\r\n");
    expect(lines).toHaveLength(19);
    expect(lines.slice(0, 2)).toEqual([
      "species;family;trees;plots;trees_per_ha;plots_percent;basal_area_m2_per_ha;relative_density;relative_frequency;relative_dominance;ivi",
      "Sloanea guianensis;Elaeocarpaceae;20;4;111,11;80,0;5,8739;15,748;8,0;22,5558;46,3038",
    ]);
  });

  it("pushes the index to BI", async () => {
    await vi.waitFor(() => expect(bi.rows).toHaveLength(17));
    expect(bi.rows.map(({ species, ivi }) => [species, ivi])).toEqual(
      (await rowsOf("importance")).map(({ species, ivi }) => [species, ivi]),
    );
  });

  it("keeps the rows as they were received", async () => {
    const second = (await rowsOf("trees_received")).find(({ _row }) => Number(_row) === 3);
    expect(second).toMatchObject({ plot: "P01", tree: 2, dbh_cm: 17.5, _file: "inventario.csv", _run: run.id });
  });

  it("counts a tree that is measured again once, as it is now", async () => {
    const [header = ""] = source.split("\n");
    const again = await ingest(`${header}\nP01;400;20/08/2025;2;Guapira opposita;Nyctaginaceae;18,1;12,4\n`);
    expect(again).toMatchObject({ state: "done", rows: { clean: 1 } });
    const trees = await rowsOf("trees");
    expect(trees).toHaveLength(127);
    expect(trees.find(({ plot, tree }) => plot === "P01" && Number(tree) === 2)).toMatchObject({
      measured_on: "2025-08-20",
      dbh_cm: 18.1,
    });
    const newer = source.replace(
      "P01;400;04/08/2025;2;Guapira opposita;Nyctaginaceae;17,5;12,0",
      "P01;400;20/08/2025;2;Guapira opposita;Nyctaginaceae;18,1;12,4",
    );
    const expected = importanceOf(newer).find(({ species }) => species === "Guapira opposita");
    const found = (await rowsOf("importance")).find(({ species }) => species === "Guapira opposita");
    expect(found?.["relative_dominance"]).toBeCloseTo(expected?.dominance ?? 0, 4);
  });
});

describe("the broken sample", () => {
  beforeAll(startAnew);
  afterAll(stopAndRemove);

  it("tells every mistake at its place, and counts what is right", async () => {
    const run = await ingest(await textOf("sample.broken.csv"));
    expect(run).toMatchObject({ state: "done", rows: { read: 19, clean: 2, rejected: 17 } });
    const lines = (await (await fetch(`${processor.url}/v1/runs/${run.id}/rejected`)).text()).trimEnd().split("\n");
    const told = lines.map((line) => RejectedRow.parse(JSON.parse(line)));
    expect(told.map(({ row, column, reason, value }) => [row, column, reason, value?.slice(0, 20) ?? null])).toEqual([
      [3, "plot", "is required, but empty", null],
      [4, "plot", "is not a plot such as P01", "Parcela 1"],
      [5, "plot_area_m2", "is below 1", "0"],
      [6, "measured_on", "is not a date (%d/%m/%Y or %Y-%m-%d)", "31/09/2025"],
      [7, null, "The day is still to come.", null],
      [8, "tree", "is not a whole number of at most 64 bits", "7a"],
      [9, "species", "is not a species such as Euterpe edulis or Eugenia sp. 1", "guapira"],
      [10, "species", "is required, but empty", null],
      [11, "family", "is not a family such as Myrtaceae", "Nictaginacea"],
      [12, "dbh_cm", "is not a number (with a comma, not a point)", "17.5"],
      [13, "dbh_cm", "is below 5", "4,9"],
      [14, "dbh_cm", "is required, but empty", null],
      [15, "height_m", "is above 120", "1200"],
      [16, null, "The values of plot, tree are in row 2 already.", null],
      [17, null, "The row has 6 cells where the header has 8.", "P01;400;04/08/2025;1"],
      [18, null, "The row has 9 cells where the header has 8.", "P01;400;04/08/2025;1"],
      [19, null, "The row has text after a closing quote.", '"P01"x;400;04/08/202'],
    ]);
    // A tree each in the one plot: half of density and frequency, and 12.6² to 7.4² of the basal area.
    expect((await rowsOf("importance")).map(({ species, ivi }) => [species, ivi])).toEqual([
      ["Sloanea guianensis", 174.3537],
      ["Eugenia sp. 1", 125.6463],
    ]);
  });
});
