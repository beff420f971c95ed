import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { config, record } from "../components/conformance.ts";
import { Events } from "../components/events/index.ts";
import { eventsOf, processorOf } from "./processor.ts";

const tags = { owner: "data-platform", stack: "platform", environment: "prod", costCentre: "cc-1" } as const;
const settings = { ...config, "cais:target": "openstack" };
const secret = (stack: string, name: string) => pulumi.secret(`${stack}.${name}`);

describe("the events of a processor's stacks", () => {
  it.each(["webhook", "radosgw"] as const)("by %s share one secret of the platform", async (events) => {
    const make = () => {
      const shared = eventsOf({ events }, tags, secret);
      return ["inmet", "ivi"].map((stack) => new Events(stack, shared).binding);
    };
    const { result, created } = await record(make, settings);
    const binding = {
      driver: events,
      secret: { driver: "file", path: "/run/cais/secrets/events" },
      fullScanSeconds: 900,
    };
    expect(result).toEqual([binding, binding]);
    expect(created).toMatchObject([{ name: "events", inputs: { payload: { secret: "platform.events" } } }]);
  });

  it("need none by listing", async () => {
    const { result, created } = await record(() => eventsOf({ events: "monitor" }, tags, secret), settings);
    expect([result, created]).toEqual([{ kind: "monitor" }, []]);
    expect(eventsOf({}, tags, secret)).toEqual({});
  });

  it("are not chosen where uploads confirm themselves", async () => {
    const local = { ...settings, "cais:target": "local" };
    await expect(record(() => eventsOf({ events: "webhook" }, tags, secret), local)).rejects.toThrow(
      "cais:platform.events has no effect on local: files come through the API, and an upload confirms itself; remove it with: pulumi config rm --path 'cais:platform.events'",
    );
  });

  it("cannot come by an API that nobody may call", () => {
    const args = { tags, pipelines: [], image: undefined, cluster: undefined, port: 8080, allowFrom: [] };
    expect(() => processorOf("processor", args, { events: "webhook" }, secret)).toThrow(
      "processor: events by webhook come by the API, and nobody may call it; name who tells in cais:platform.api.allowFrom",
    );
  });
});
