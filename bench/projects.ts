import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { Plan, PlannedResource } from "../planner/index.ts";
import { providedPackage } from "../planner/urn.ts";

const house = resolve(import.meta.dirname, "..");

/** Writes a project like this one with so many pipeline stacks like `inmet`, all in the environment `prod-openstack`. */
export async function writeProject(root: string, stacks: number): Promise<void> {
  await mkdir(root, { recursive: true });
  for (const part of ["programs", "components", "policies"])
    await cp(join(house, part), join(root, part), {
      recursive: true,
      filter: (file) => !file.endsWith(".test.ts") && basename(file) !== "fixtures",
    });
  for (const file of ["Pulumi.yaml", "Pulumi.prod-openstack.yaml"]) await cp(join(house, file), join(root, file));
  const stack = await readFile(join(house, "stacks/inmet/stack.yaml"), "utf8");
  for (let n = 0; n < stacks; n++) {
    const name = `weather-${n}`;
    await cp(join(house, "stacks/inmet"), join(root, "stacks", name), {
      recursive: true,
      filter: (file) => !/\.(ts|csv)$/.test(file),
    });
    await writeFile(join(root, "stacks", name, "stack.yaml"), stack.replace(/^name: .*/m, `name: ${name}`));
  }
}

/**
 * Writes a project whose program makes the resources of a plan one by one, as by hand: no classes of ours, no YAML. With
 * `lean` it starts as ours does (programs/lean.ts), else as a project of Pulumi's.
 */
export async function writeByHand(
  root: string,
  { stack, resources, outputs }: Plan,
  { lean }: { lean: boolean },
): Promise<void> {
  await mkdir(root, { recursive: true });
  const settings = `Pulumi.${stack}.yaml`;
  await cp(join(house, settings), join(root, settings));
  const project = (await readFile(join(house, "Pulumi.yaml"), "utf8")).replace("programs/main.ts", "main.ts");
  await writeFile(join(root, "Pulumi.yaml"), lean ? project : project.replace(/^ *nodeargs: .*$/m, ""));
  if (lean) await cp(join(house, "programs/lean.ts"), join(root, "lean.ts"));
  const made = resources.filter(({ type, parent }) => parent !== null && providedPackage(type) === undefined);
  const names = new Map(made.map(({ urn }, index) => [urn, `resource${index}`]));
  const imports = new Set<string>();
  const lines = inOrder(made).map((resource) => {
    const name = names.get(resource.urn);
    const options = `{ parent: ${names.get(resource.parent ?? "")}, protect: ${resource.protect} }`;
    const [text, type] = [resource.name, resource.type].map((each) => JSON.stringify(each));
    if (!resource.custom)
      return `const ${name} = new pulumi.ComponentResource(${type}, ${text}, {}, ${options});\n${name}.registerOutputs(${JSON.stringify(resource.outputs)});`;
    const [source = "", path = "", className = ""] = resource.type.split(":");
    imports.add(`import { ${className} } from "@pulumi/${source}/${path}.js";`);
    return `const ${name} = new ${className}(${text}, ${inputsOf(resource, names)}, ${options});`;
  });
  const text = [
    `import * as pulumi from "@pulumi/pulumi";`,
    ...imports,
    ...lines,
    `export const made = ${JSON.stringify(outputs)};`,
  ];
  await writeFile(join(root, "main.ts"), `${text.join("\n")}\n`);
}

/** Each after its parent and those that it depends on. */
function inOrder(resources: PlannedResource[]): PlannedResource[] {
  const byUrn = new Map(resources.map((resource) => [resource.urn, resource]));
  const placed = new Set<PlannedResource>();
  const place = (resource: PlannedResource | undefined): void => {
    if (resource === undefined || placed.has(resource)) return;
    for (const urn of [resource.parent ?? "", ...resource.dependencies]) place(byUrn.get(urn));
    placed.add(resource);
  };
  for (const resource of resources) place(resource);
  return [...placed];
}

/** The inputs as TypeScript. What was unknown is an output of a resource that the input depends on. */
function inputsOf({ inputs, propertyDependencies }: PlannedResource, names: Map<string, string>): string {
  const members = Object.entries(inputs).map(([key, value]) => {
    const from = propertyDependencies[key]?.map((urn) => names.get(urn)).find((name) => name !== undefined);
    const text = JSON.stringify(value)
      .replaceAll('"[unknown]"', from === undefined ? '"unknown"' : `${from}.id`)
      .replaceAll('"[secret]"', 'pulumi.secret("secret")');
    return `${JSON.stringify(key)}: ${text}`;
  });
  return `{ ${members.join(", ")} }`;
}
