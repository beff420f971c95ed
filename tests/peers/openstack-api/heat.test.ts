import { beforeAll, expect, it } from "vitest";
import { until } from "./make.ts";
import { deploy, openPlace, type Place, type Resource } from "./program.ts";

let place: Place;
let resources: Resource[];
const of = (kind: string) => resources.find((one) => one.kind.endsWith(`:${kind}`));
const idOf = (kind: string) => of(kind)?.made.id ?? `no ${kind}`;
const volume = async () => {
  const all = await place.demo.ask<{ volume: object }>("volumev3", "GET", `/volumes/${idOf("Volume")}`);
  return all.volume;
};

beforeAll(async () => {
  place = await openPlace();
  const cluster = { kind: "vm", machine: "m1.large", image: place.project.image, stateGB: 1, madeBy: "heat" };
  resources = await deploy(place, cluster);
}, 900_000);

it("has Heat make the machine by our template, on the port and with the disk that are not its own", async () => {
  const { demo } = place;
  const at = `/stacks/${of("StackV1")?.name}/${idOf("StackV1")}`;
  const { stack } = await demo.ask<{ stack: object }>("orchestration", "GET", at);
  const { port } = await demo.ask<{ port: { device_id: string; fixed_ips: { ip_address: string }[] } }>(
    "network",
    "GET",
    `/v2.0/ports/${idOf("Port")}`,
  );
  expect(stack).toMatchObject({
    stack_status: "CREATE_COMPLETE",
    tags: expect.arrayContaining(["owner=data-platform", "environment=prod"]),
    outputs: [{ output_key: "address", output_value: port.fixed_ips[0]?.ip_address }],
    // Who may look at stacks does not see the machine's credential.
    parameters: { user_data: "******" },
  });
  const { server } = await demo.ask<{ server: object }>("compute", "GET", `/servers/${port.device_id}`);
  expect(server).toMatchObject({ status: "ACTIVE", metadata: { owner: "data-platform", environment: "prod" } });
  expect(await volume()).toMatchObject({ status: "in-use", attachments: [{ server_id: port.device_id }] });
});

it("leaves port and disk when the stack goes", async () => {
  const { demo } = place;
  const at = `/stacks/${of("StackV1")?.name}/${idOf("StackV1")}`;
  await demo.ask("orchestration", "DELETE", at);
  await until(demo, "orchestration", at, ["stack", "stack_status"], "DELETE_COMPLETE");
  await until(demo, "volumev3", `/volumes/${idOf("Volume")}`, ["volume", "status"], "available");
  const { port } = await demo.ask<{ port: object }>("network", "GET", `/v2.0/ports/${idOf("Port")}`);
  expect(port).toMatchObject({ device_id: "" });
}, 600_000);
