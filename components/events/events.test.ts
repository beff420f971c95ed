import { EventsBinding } from "@cais/spec/bindings.ts";
import { describe, expect, it } from "vitest";
import { record, testArguments } from "../conformance.ts";
import { Secret } from "../secret/index.ts";
import type { BuiltTarget } from "../target.ts";
import { Events, type EventsArgs, eventsTargets } from "./index.ts";

const tags = { owner: "data-platform", stack: "platform", environment: "prod", costCentre: "cc-1" } as const;
const secretOn = (target: BuiltTarget) =>
  new Secret("events", { tags, target, ...(target === "local" ? {} : { value: "x" }) });

describe("Events", () => {
  testArguments<EventsArgs>(
    eventsTargets,
    () => ({}),
    {
      kind: (target) => ({ kind: "webhook", secret: secretOn(target) }),
      secret: (target) => ({ secret: secretOn(target), ...(target === "local" ? {} : { kind: "radosgw" }) }),
      intervalSeconds: () => ({ intervalSeconds: 60 }),
      fullScanSeconds: () => ({ fullScanSeconds: 600 }),
    },
    (args) => new Events("inmet", args).binding,
  );

  it("come with the upload on local and by listing on openstack, and make nothing", async () => {
    const local = await record(() => new Events("inmet", { target: "local" }).binding);
    const openstack = await record(() => new Events("inmet", { target: "openstack" }).binding);
    expect(local).toEqual({ result: { driver: "in-process" }, created: [], warnings: [] });
    expect(openstack).toEqual({ result: { driver: "monitor", intervalSeconds: 5 }, created: [], warnings: [] });
  });

  it.each(["webhook", "radosgw"] as const)("come by %s with its secret and a full scan as a net", async (kind) => {
    const make = () => new Events("inmet", { target: "openstack", kind, secret: secretOn("openstack") });
    const { result } = await record(make);
    const secret = { driver: "file", path: "/run/cais/secrets/events" };
    expect(result.binding).toEqual({ driver: kind, secret, fullScanSeconds: 900 });
    expect(EventsBinding.parse(result.binding)).toEqual(result.binding);
    await expect(record(() => new Events("inmet", { target: "openstack", kind }))).rejects.toThrow(
      `inmet: events by ${kind} need a secret.`,
    );
  });
});
