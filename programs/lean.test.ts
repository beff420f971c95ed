import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { z } from "zod";

/** What a program of ours says, which starts as Pulumi.yaml tells. */
async function said(program: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "./lean.ts", "--eval", program], {
    cwd: import.meta.dirname,
  });
  return JSON.parse(stdout);
}

const begin = `
  const pulumi = require("@pulumi/pulumi");
  const files = () => Object.values(require.cache).map(({ filename }) => filename);
  const loaded = () => ["typescript", "@npmcli/arborist"].filter((name) => files().some((file) => file?.includes("/node_modules/" + name + "/")));
  const say = (what) => console.log(JSON.stringify(what));
`;

it("leaves what makes code out of functions for later", async () => {
  expect(await said(`${begin} say(loaded())`)).toEqual([]);
});

it("makes code out of a function where a program does", async () => {
  const { text, after } = z.object({ text: z.string(), after: z.array(z.string()) }).parse(
    await said(`${begin}
        const given = 41;
        pulumi.runtime.serializeFunction(() => given + 1).then(({ text }) => say({ text, after: loaded() }));`),
  );
  expect(text).toContain("given + 1");
  expect(after).toEqual(["typescript"]);
});

it("finds the packages that such code needs", async () => {
  const paths = z
    .array(z.string())
    .parse(
      await said(
        `pulumi = require("@pulumi/pulumi"); pulumi.runtime.computeCodePaths().then((paths) => console.log(JSON.stringify([...paths.keys()])))`,
      ),
    );
  expect(paths).toEqual(expect.arrayContaining([expect.stringMatching(/node_modules\/zod$/)]));
});
