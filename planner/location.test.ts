import sourcepb from "@pulumi/pulumi/proto/source_pb.js";
import { expect, it } from "vitest";
import { locate, locateInText } from "./location.ts";

const root = "/home/ana/cais";

const frame = (uri: string, line: number) =>
  new sourcepb.StackFrame().setPc(new sourcepb.SourcePosition().setUri(uri).setLine(line));

it("finds the first place in the project's own code, not in a package's", () => {
  const printed = `TypeError: no such size
    at Instance (/home/ana/cais/node_modules/@pulumi/openstack/compute/instance.js:7:11)
    at file:///home/ana/cais/programs/platform.ts:41:9
    at \u001b[90mfile:///home/ana/cais/\u001b[39mprograms/main.ts:3:1`;
  expect(locateInText(printed, root)).toEqual({ file: "programs/platform.ts", line: 41 });
});

it("finds none in the code of others", () => {
  expect(
    locateInText("Error\n    at node:internal/process:1:2\n    at /home/ana/other/main.ts:3:4", root),
  ).toBeUndefined();
});

it("reads the trace of a registration, whose URLs the SDK doubles", () => {
  const trace = new sourcepb.StackTrace().setFramesList([
    new sourcepb.StackFrame(),
    frame("file:///home/ana/cais/node_modules/@pulumi/openstack/compute/instance.js", 7),
    frame("file:///home/ana/cais/file:/home/ana/cais/components/cluster/vm.ts", 12),
  ]);
  expect(locate(trace, root)).toEqual({ file: "components/cluster/vm.ts", line: 12 });
  expect(locate(undefined, root)).toBeUndefined();
});
