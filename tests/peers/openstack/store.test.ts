import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { behavesAsObjectStore } from "../../../processor/src/object-store/conformance.ts";
import { openObjectStore } from "../../../processor/src/object-store/index.ts";
import { newContainer } from "./containers.ts";
import { openLab, type OpenStack } from "./lab.ts";

let lab: OpenStack;
let folder: string;
beforeAll(async () => {
  lab = await openLab();
  await mkdir(resolve(".cais/tests"), { recursive: true });
  folder = await mkdtemp(resolve(".cais/tests/swift-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("the swift driver", () => {
  behavesAsObjectStore(
    async () => openObjectStore(await newContainer(lab, folder), folder),
    () => folder,
  );
});
