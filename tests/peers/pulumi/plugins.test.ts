import { execFile, execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import packageJson from "../../../package.json" with { type: "json" };

const project = path.join(import.meta.dirname, "..", "..", "..");

let folder: string;
let server: Server;
let asked: string[];

/** A machine that has the CLI and no plugin, and on which whatever is downloaded is asked of a server of ours. */
beforeAll(async () => {
  const peers = path.join(project, ".cais", "peers");
  await mkdir(peers, { recursive: true });
  folder = await mkdtemp(path.join(peers, "plugins-"));
  await mkdir(path.join(folder, "bin"));
  await mkdir(path.join(folder, "state"));
  for (const name of ["pulumi", "pulumi-language-nodejs"]) {
    const place = execFileSync("which", [name], { encoding: "utf8" }).trim();
    await symlink(place, path.join(folder, "bin", name));
  }
  server = createServer(({ url = "" }, response) => {
    asked.push(url);
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
});

afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

/** The plugins that a preview of a stack asks for, sorted. It may fail for the lack of them. */
async function pluginsAskedFor(root: string, stack: string): Promise<string[]> {
  asked = [];
  const { port } = server.address() as AddressInfo;
  const env = {
    PATH: [path.join(folder, "bin"), path.dirname(process.execPath), "/usr/bin", "/bin"].join(path.delimiter),
    HOME: folder,
    PULUMI_HOME: path.join(folder, "home"),
    PULUMI_BACKEND_URL: `file://${path.join(folder, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: "not-a-secret",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES: `.*=http://127.0.0.1:${port}`,
  };
  const pulumi = (...args: string[]) =>
    new Promise<string>((resolve) => {
      execFile("pulumi", [...args, "--stack", stack, "--non-interactive"], { cwd: root, env }, (_, out) =>
        resolve(out),
      );
    });
  await pulumi("stack", "init");
  expect(await pulumi("preview")).toContain("Previewing update");
  return [...new Set(asked.map((url) => /^\/pulumi-resource-(.+-v[\d.]+)-/.exec(url)?.[1] ?? url))].toSorted();
}

it.each([
  ["dev", []],
  ["prod-openstack", [`openstack-v${packageJson.dependencies["@pulumi/openstack"]}`]],
])("%s needs the plugins of its target alone", async (stack, plugins) => {
  const root = path.join(folder, stack);
  await mkdir(root);
  await symlink(path.join(project, "programs"), path.join(root, "programs"));
  for (const file of ["Pulumi.yaml", `Pulumi.${stack}.yaml`]) await cp(path.join(project, file), path.join(root, file));
  expect(await pluginsAskedFor(root, stack)).toEqual(plugins);
});

it("would need every provider's plugin, were the program beside node_modules", async () => {
  const root = path.join(folder, "beside");
  await mkdir(root);
  await symlink(path.join(project, "node_modules"), path.join(root, "node_modules"));
  await writeFile(path.join(root, "package.json"), '{ "type": "module" }');
  await writeFile(path.join(root, "main.ts"), "export const nothing = 0;\n");
  await writeFile(path.join(root, "Pulumi.beside.yaml"), "config: {}\n");
  await writeFile(
    path.join(root, "Pulumi.yaml"),
    "name: beside\nmain: main.ts\nruntime: { name: nodejs, options: { typescript: false } }\n",
  );
  const versions: Record<string, string> = packageJson.dependencies;
  const providers = ["aws", "azure-native", "docker", "kubernetes", "openstack"];
  expect(await pluginsAskedFor(root, "beside")).toEqual(
    providers.map((name) => `${name}-v${versions[`@pulumi/${name}`]}`),
  );
});
