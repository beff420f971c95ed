import { rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readSettings } from "./config.ts";
import { configOf, salesStack, testFolder } from "./processor-for-tests.ts";

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await testFolder("config");
  file = join(folder, "processor.json");
  await writeFile(file, JSON.stringify(configOf(salesStack())));
});
afterAll(() => rm(folder, { recursive: true }));

it("takes arguments before the environment, and defaults after it", async () => {
  const config = configOf(salesStack());
  expect(await readSettings(["--config", file], {})).toEqual({
    config,
    dataFolder: resolve("data"),
    pageFolder: undefined,
    logLevel: "info",
  });
  const environment = { CAIS_CONFIG: file, CAIS_DATA: "/d", CAIS_PAGE: "/p", CAIS_LOG: "warn" };
  expect(await readSettings([], environment)).toEqual({ config, dataFolder: "/d", pageFolder: "/p", logLevel: "warn" });
  expect(await readSettings(["--data", "/e", "--page", "/q"], environment)).toMatchObject({
    dataFolder: "/e",
    pageFolder: "/q",
  });
});

it("says what is wrong with each of them", async () => {
  await expect(readSettings([], {})).rejects.toThrow("There is no config: pass --config FILE");
  await expect(readSettings(["--config", file], { CAIS_LOG: "loud" })).rejects.toThrow(
    /The environment is not right:\n.*Invalid option/,
  );
  await expect(readSettings(["--confg", file], {})).rejects.toThrow(/--confg/);
  await expect(readSettings(["--config", join(folder, "missing")], {})).rejects.toThrow(/ENOENT/);
  await writeFile(join(folder, "broken.json"), "{");
  await expect(readSettings(["--config", join(folder, "broken.json")], {})).rejects.toThrow(
    /broken.json is not JSON: /,
  );
  await writeFile(join(folder, "wrong.json"), JSON.stringify({ ...configOf(salesStack()), target: "moon", typo: 1 }));
  await expect(readSettings(["--config", join(folder, "wrong.json")], {})).rejects.toThrow(
    /wrong.json is not right:\n[^]*Unrecognized key: "typo"[^]*at target/,
  );
});
