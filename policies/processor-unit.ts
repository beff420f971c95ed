import { ContainerObject } from "@pulumi/openstack/objectstorage/containerObject.js";
import { type ReportViolation, validateResourceOfType } from "@pulumi/policy";
import { ifKnown } from "./if-known.ts";
import { podReferences, podsAreClosed, podsHaveLimits } from "./processor-pod.ts";
import type { ResourceRule } from "./rule.ts";

/** The options of a `docker run`, each with its values; an option without one has the value "". */
type Options = ReadonlyMap<string, readonly string[]>;

const longNames: Readonly<Record<string, string>> = {
  "-u": "--user",
  "-m": "--memory",
  "-v": "--volume",
  "--net": "--network",
};

/** Options of every `docker run` in a systemd unit. */
function runsOf(unit: string): Options[] {
  return [...unit.replaceAll("\\\n", " ").matchAll(/^Exec\w+=\S*docker run (.*)$/gm)].map(([, line = ""]) => {
    const words = line.trim().split(/\s+/);
    const options = new Map<string, string[]>();
    for (const [index, word] of words.entries()) {
      if (!word.startsWith("-")) continue;
      const [name = "", ...rest] = word.split("=");
      const next = words[index + 1] ?? "";
      const value = rest.length > 0 ? rest.join("=") : next.startsWith("-") ? "" : next;
      const key = longNames[name] ?? name;
      options.set(key, [...(options.get(key) ?? []), value]);
    }
    return options;
  });
}

/** What each run of an object that holds a unit is found to be, told as one sentence for all of it. */
const ofUnits = (tell: (options: Options, name: string, report: ReportViolation) => void) =>
  validateResourceOfType(ContainerObject, (object, { name }, report) => {
    if (!ifKnown(() => object.name)?.endsWith(".service")) return;
    for (const options of runsOf(ifKnown(() => object.content) ?? "")) tell(options, name, report);
  });

const lists = new Set(["--cap-drop", "--security-opt"]);

/** Whether an option is given as it must be. Of one that is no list, Docker takes the last. */
function has(options: Options, name: string, value: RegExp): boolean {
  const given = options.get(name) ?? [];
  return (lists.has(name) ? given : given.slice(-1)).some((text) => value.test(text));
}

const owasp = (rule: string) => ({
  name: `OWASP Docker, ${rule}`,
  url: "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html",
});

/** Options that a container must have, each with the value that counts. */
const required: readonly [string, string, RegExp][] = [
  ["--user <number>", "--user", /^[1-9]\d*(:\d+)?$/],
  ["--cap-drop ALL", "--cap-drop", /^all$/i],
  ["--security-opt no-new-privileges", "--security-opt", /^no-new-privileges([:=]true)?$/],
  ["--read-only", "--read-only", /^(?!false$)/],
];

/** What opens the machine to a container. A name of an option is enough unless a value is given. */
const opening: readonly [string, RegExp][] = [
  ["--privileged", /^(?!false$)/],
  ["--cap-add", /./],
  ["--device", /./],
  ["--network", /^host$/],
  ["--pid", /^host$/],
  ["--ipc", /^host$/],
  ["--uts", /^host$/],
  ["--userns", /^host$/],
  ["--security-opt", /unconfined|label[:=]disable/],
  ["--mount", /docker\.sock/],
  ["--volume", /docker\.sock/],
];

export const requireLeastPrivilege: ResourceRule = {
  name: "processor-require-least-privilege",
  description: "A workload must run as a plain user in a closed container.",
  severity: "high",
  remediationSteps: `Run it with ${required.map(([shown]) => shown).join(", ")}, and without what opens the machine to it; pods by Kubernetes' restricted standard, with a root that is read-only.`,
  references: [owasp("rules 1 to 4, 6 and 8"), ...podReferences],
  enforcementLevel: "mandatory",
  validateResource: [
    ofUnits((options, name, report) => {
      const lacking = required.filter(([, option, value]) => !has(options, option, value));
      if (lacking.length > 0)
        report(`${name} must run with least privilege, and lacks ${lacking.map(([shown]) => shown).join(", ")}.`);
      for (const [option, value] of opening) {
        const given = options.get(option)?.find((text) => value.test(text));
        if (given !== undefined)
          report(
            `${name} must be kept from the machine, and has ${`${option} ${/^-|privileged/.test(given) ? "" : given}`.trim()}.`,
          );
      }
    }),
    podsAreClosed,
  ],
};

const limits = ["--memory", "--cpus", "--pids-limit"];

export const requireLimits: ResourceRule = {
  name: "processor-require-limits",
  description: "A workload must not be able to take the whole machine.",
  severity: "medium",
  remediationSteps: `Run it with ${limits.join(", ")}; a pod's containers with limits of memory and cpu.`,
  references: [owasp("rule 7")],
  enforcementLevel: "mandatory",
  validateResource: [
    ofUnits((options, name, report) => {
      // 0 and -1 mean no limit.
      const lacking = limits.filter((limit) => !has(options, limit, /^[1-9]|^0\.\d*[1-9]/));
      if (lacking.length > 0) report(`${name} must have limits, and lacks ${lacking.join(", ")}.`);
    }),
    podsHaveLimits,
  ],
};
