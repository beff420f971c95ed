import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Unavailable, type Peer } from "../peer.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const folder = join(root, ".cais", "peers", "image");

/** The folder that the processor's image has at /app, made by the Dockerfile's own lines, where no Docker engine is needed. */
export const peer: Peer = {
  installs: "installs the processor's packages as its Dockerfile does into .cais/peers/image (about 120 MB)",
  async prepare() {
    const dockerfile = await readFile(join(root, "processor", "Dockerfile"), "utf8");
    await rm(folder, { recursive: true, force: true });
    await copy(copies(stage(dockerfile, "manifests")));
    const install = /^RUN (npm ci .*--workspace @cais\/processor .*)$/m.exec(stage(dockerfile, "packages"))?.[1];
    if (install === undefined)
      throw new Error("processor/Dockerfile has no line that installs the processor's packages");
    const npm = spawn(install, { cwd: folder, shell: true, stdio: ["ignore", "ignore", "inherit"] });
    const [code] = (await once(npm, "close")) as [number];
    if (code !== 0) throw new Unavailable(`${install} ended with ${code}; its messages are above`);
    await copy(copies(stage(dockerfile, undefined)));
    return { CAIS_IMAGE: folder };
  },
};

/** The lines of a build stage; without a name, those of the last one. */
function stage(dockerfile: string, name: string | undefined): string {
  const stages = dockerfile.split(/^(?=FROM )/m);
  const found =
    name === undefined ? stages.at(-1) : stages.find((lines) => lines.split("\n")[0]?.endsWith(` AS ${name}`));
  if (found === undefined) throw new Error(`processor/Dockerfile has no stage ${name}`);
  return found;
}

/** What a stage copies out of the project: pairs of from and to. */
const copies = (lines: string): [from: string, to: string][] =>
  [...lines.matchAll(/^COPY (?!--from)(.+) (\S+)$/gm)].flatMap(([, sources = "", to = ""]) =>
    sources.split(" ").map((from): [string, string] => [from, to.endsWith("/") ? join(to, basename(from)) : to]),
  );

async function copy(pairs: [from: string, to: string][]) {
  const ignored = (await readFile(join(root, "processor", "Dockerfile.dockerignore"), "utf8"))
    .split("\n")
    .filter(Boolean);
  const isIgnored = (path: string) =>
    ignored.some((pattern) => {
      const name = pattern.replace("**/", "");
      return name.startsWith("*") ? basename(path).endsWith(name.slice(1)) : basename(path) === name;
    });
  for (const [from, to] of pairs) {
    await mkdir(dirname(join(folder, to)), { recursive: true });
    await cp(join(root, from), join(folder, to), { recursive: true, filter: (path) => !isIgnored(path) });
  }
}
