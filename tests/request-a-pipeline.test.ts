import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dryRun } from "@cais/processor/src/engine/dry-run.ts";
import { startProcessor } from "@cais/processor/src/main.ts";
import { configOf, ended, engines, send, testFolder } from "@cais/processor/src/processor-for-tests.ts";
import { Upload } from "@cais/spec/api.ts";
import { readStack } from "@cais/spec/read-stack.ts";
import { expect, it } from "vitest";

const doc = join(import.meta.dirname, "..", "docs", "request-a-pipeline.md");

/** The files that the page has its reader write: a line that names one, then its content. */
const filesOf = (text: string) =>
  [...text.matchAll(/^`stacks\/vendas\/([\w.]+)`.*?^```\w*\n(.*?)^```$/gms)].map(([, name = "", content = ""]) => ({
    name,
    content,
  }));

it("what a data team is told to write is a pipeline that does what the page says", async () => {
  const text = await readFile(doc, "utf8");
  const files = filesOf(text);
  expect(files.map(({ name }) => name)).toEqual(["stack.yaml", "vendas.sql", "por_dia.sql", "sample.csv"]);
  const folder = await testFolder("request");
  const written = join(folder, "stacks", "vendas");
  await mkdir(written, { recursive: true });
  for (const { name, content } of files) await writeFile(join(written, name), content);

  const { stack, sql } = readStack(written);
  expect(await dryRun(stack, sql)).toEqual([]);
  const processor = await startProcessor(configOf({ stack, sql }), { engines, dataFolder: folder });
  const sample = await readFile(join(written, "sample.csv"), "utf8");
  const { id } = Upload.parse(await (await send(processor.url, "vendas", sample, "sample.csv")).json());
  const run = await ended(processor.url, id);
  expect(run).toMatchObject({ state: "done", rows: { read: 4, clean: 2, rejected: 2 } });
  const rejected = await (await fetch(`${processor.url}/v1/runs/${id}/rejected`)).text();
  expect(text).toContain(`\`\`\`\n${rejected.trimEnd()}\n\`\`\``);
  expect(await readFile(join(folder, "vendas/output/vendas_por_dia.csv"), "utf8")).toBe(
    "dia,liquido,vendas\r\n2026-01-02,145.0,2\r\n",
  );
  await processor.stop();
  await rm(folder, { recursive: true });
});
