import { mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, expect, it } from "vitest";
import { stacksOf } from "./stacks.ts";

const folder = join(".cais", "tests", `stacks-${process.pid}`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("tells mistakes as what Pulumi prints without the program's frames", () => {
  for (const name of ["rain", "snow"]) mkdirSync(join(folder, name), { recursive: true });
  const told = ["rain", "snow"].map(
    (name) =>
      `  ${basename(folder)}/${name}/stack.yaml:1:1: there is no file stack.yaml in the stack's folder; create it`,
  );
  expect(() => stacksOf(folder)).toThrow(new pulumi.RunError(`The pipeline stacks are not right:\n${told.join("\n")}`));
});

it("reads those that there are", () => {
  expect(stacksOf("stacks").map(({ stack }) => stack.name)).toContain("inmet");
});
