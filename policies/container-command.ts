/** Options of `docker run` and `docker pull` that take no value; any other is followed by one. */
const switches = new Set(
  "detach disable-content-trust init interactive no-healthcheck oom-kill-disable privileged publish-all quiet read-only rm sig-proxy tty all-tags all-platforms plain-http".split(
    " ",
  ),
);
const letters = /^-[ditPqa]+$/;
/** Options of the command itself, before what it shall do, that take no value. */
const commandSwitches = /^-(?:D|-debug|-tls|-tlsverify|-remote)$/;

/** What a runtime is told to do with the image that comes next. */
const verbs = new Set(["run", "create", "pull"]);
const nouns = new Set(["image", "images", "i", "container", "service"]);

/** The images that a text starts or fetches: by a command of a shell, a list or a unit, or as `image:` of a manifest. */
export function imagesIn(text: string): string[] {
  const lines = text.replaceAll(/\\\r?\n/g, " ");
  const commands = [
    ...lines.matchAll(/(?<=^|[\s/"'`;&|(=@[{,-])(?:docker|podman|nerdctl|crictl|ctr)(?=["']?,?[ \t])(.*)$/gm),
  ].flatMap(({ 0: all, 1: rest = "", index }) => {
    const before = lines.slice(lines.lastIndexOf("\n", index) + 1, index);
    const image = imageOf(/^["']?,/.test(rest) ? listed(rest) : words(before, rest));
    // Words that merely follow one another, `docker` among them, are no command.
    return image === undefined || all === "" ? [] : [image];
  });
  const isManifest = /(?:^|[{,])[\s-]*["']?(?:services|containers|initContainers|kind)["']? *:/m.test(lines);
  const named = isManifest
    ? [...lines.matchAll(/(?:^|[{,])[\s-]*["']?image["']? *: *["']?([\w$][^\s"'#,}\]]*)/gm)]
    : [];
  // A container of systemd's own: https://docs.podman.io/en/latest/markdown/podman-systemd.unit.5.html
  const units = /^[ \t]*\[Container\]/m.test(lines) ? [...lines.matchAll(/^[ \t]*Image=[ \t]*(\S+)/gm)] : [];
  return [...commands, ...[...named, ...units].map(([, image = ""]) => image)];
}

/** The words of a list such as `[docker, run, "name"]`. */
const listed = (rest: string): string[] =>
  rest
    .replace(/^["']?,/, "")
    .replace(/\].*$/, "")
    .split(",")
    .map((word) => word.trim().replaceAll(/^["']|["']$/g, ""));

/** The words of a command up to its end, or to the end of the quotes that it stands in. */
function words(before: string, rest: string): string[] {
  const outer = /["']/.exec(before.replaceAll(/"[^"]*"|'[^']*'/g, ""))?.[0];
  const found: string[] = [];
  for (const [word, end] of rest.matchAll(/(?:"[^"]*"|'[^']*'|\$\([^)]*\)|[^\s"'`;&|])+|(["'`;&|])/g)) {
    if (end !== undefined) break;
    const closes = outer === undefined ? -1 : word.indexOf(outer);
    const last = closes === -1 ? word : word.slice(0, closes);
    if (last !== "") found.push(last.replaceAll(/["']/g, ""));
    if (closes !== -1) break;
  }
  return found;
}

/** The first word that is no option, when the words tell a runtime to take an image. */
function imageOf(all: readonly string[]): string | undefined {
  const [noun, ...more] = withoutOptions(all, commandSwitches);
  const [verb, ...rest] = nouns.has(noun ?? "") ? more : [noun, ...more];
  if (verb === undefined || !verbs.has(verb)) return undefined;
  return withoutOptions(rest.flatMap((word) => word ?? []))[0];
}

/** The words from the first that is neither an option nor its value. */
function withoutOptions(all: readonly string[], without?: RegExp): readonly string[] {
  for (let index = 0; index < all.length; index++) {
    const word = all[index] ?? "";
    if (!word.startsWith("-")) return all.slice(index);
    const alone = without ? without.test(word) : letters.test(word) || switches.has(word.slice(2));
    if (!word.includes("=") && !alone) index++;
  }
  return [];
}
