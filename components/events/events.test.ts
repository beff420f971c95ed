import { describe, expect, it } from "vitest";
import { record, testArguments } from "../conformance.ts";
import { Events, type EventsArgs, eventsTargets } from "./index.ts";

describe("Events", () => {
  testArguments<EventsArgs>(
    eventsTargets,
    () => ({}),
    { intervalSeconds: () => ({ intervalSeconds: 60 }) },
    (args) => new Events("inmet", args).binding,
  );

  it("come with the upload on local and by listing on openstack, and make nothing", async () => {
    const local = await record(() => new Events("inmet", { target: "local" }).binding);
    const openstack = await record(() => new Events("inmet", { target: "openstack" }).binding);
    expect(local).toEqual({ result: { driver: "in-process" }, created: [], warnings: [] });
    expect(openstack).toEqual({ result: { driver: "monitor", intervalSeconds: 5 }, created: [], warnings: [] });
  });
});
