import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { plan } from "../planner/index.ts";

const root = fileURLToPath(new URL("fixtures/own", import.meta.url));

it("composes components, with the stack's tags and secrets, beside what the YAML asks for", async () => {
  const { resources, outputs } = await plan({ root, stack: "test" });
  const store = resources.find(({ name, custom }) => custom && name === "loja-partners");
  expect(store).toMatchObject({
    type: "openstack:objectstorage/container:Container",
    parent: "urn:pulumi:test::own::cais:storage:ObjectStore::loja-partners",
    inputs: { metadata: { owner: "vendas", stack: "loja", environment: "prod", "cost-centre": "vendas" } },
    location: { file: "stacks/loja/program.ts", line: 7 },
  });
  expect(resources.find(({ name, custom }) => custom && name === "loja-partner-key")).toMatchObject({
    type: "openstack:keymanager/secretV1:SecretV1",
    inputs: { payload: "[secret]" },
    secretInputs: ["payload"],
  });
  expect(resources.filter(({ type }) => type === "cais:storage:ObjectStore").map(({ name }) => name)).toEqual([
    "loja-input",
    "loja-lake",
    "loja-output",
    "loja-partners",
  ]);
  expect(outputs["programs"]).toMatchObject({ loja: { partners: { driver: "swift" }, tables: ["vendas"] } });
});

it("is refused where it exports no function", async () => {
  await expect(plan({ root, stack: "wrong" })).rejects.toMatchObject({
    code: "program-failed",
    message:
      "the program failed: stacks/loja/program.ts must export a function as its default (OwnProgram of programs/own-program.ts), and exports none.",
  });
});
