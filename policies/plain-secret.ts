import * as pulumi from "@pulumi/pulumi";
import { textOf, textsOf } from "./inputs.ts";
import type { ResourceRule } from "./rule.ts";
import { plainSecrets } from "./secret-formats.ts";
import { secretsAreHidden } from "./settings.ts";

const references = [
  {
    name: "OWASP secrets management",
    url: "https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html",
  },
  { name: "CWE-798", url: "https://cwe.mitre.org/data/definitions/798.html" },
  { name: "CIS Kubernetes 5.4.1", url: "https://www.cisecurity.org/benchmark/kubernetes" },
] as const;

const parsed = (value: string): unknown => {
  try {
    return JSON.parse(value);
  } catch (error) {
    if (error instanceof SyntaxError) return value;
    throw error;
  }
};

export const disallowInConfig: ResourceRule = {
  name: "plain-secret-disallow-in-config",
  description: "Config must hold secrets encrypted: the file is committed for all to read.",
  severity: "critical",
  remediationSteps:
    "Make a new secret, since this one could be read, and set it with: pulumi config set --secret --path '<key>'.",
  references,
  enforcementLevel: "mandatory",
  validateResource({ type, name }, report) {
    if (type !== "pulumi:pulumi:Stack" || !secretsAreHidden()) return;
    for (const [key, value] of Object.entries(pulumi.runtime.allConfig())) {
      const content = parsed(value);
      const inputs =
        typeof content === "object" && content !== null
          ? textsOf(content, key, key)
          : [{ path: key, key, text: value }];
      for (const { path, key, text } of inputs)
        for (const kind of plainSecrets(text, key))
          report(`${name} must keep its secrets encrypted, and ${path} holds ${kind} in plain text.`);
    }
  },
};

/** Types whose metadata a rule of their noun looks at, by the keys. */
const metadataRules = new Set([
  "openstack:objectstorage/container:Container",
  "openstack:objectstorage/containerObject:ContainerObject",
  "openstack:keymanager/secretV1:SecretV1",
]);

/** The name by which a text is judged. What Barbican keeps is secret whatever it is called, but for what is public. */
function keyFor(type: string, path: string, key: string, props: object): string {
  if (path.startsWith("metadata.") && metadataRules.has(type)) return "";
  const isPayload = type === "openstack:keymanager/secretV1:SecretV1" && path === "payload";
  return isPayload && !/^(?:certificate|public)$/.test(textOf(props, "secretType") ?? "") ? "password" : key;
}

export const disallowInInput: ResourceRule = {
  name: "plain-secret-disallow-in-input",
  description:
    "What a program asks for must hold no secret that is written in it, whether as metadata, variable or user data.",
  severity: "critical",
  remediationSteps:
    "Make a new secret, since this one could be read; keep it in cais:secrets.<stack>.<name> and let what runs fetch it by reference.",
  references,
  enforcementLevel: "mandatory",
  validateResource({ type, name, props }, report) {
    // A default provider's inputs are config, of which the other rule tells.
    if (!secretsAreHidden() || (type.startsWith("pulumi:providers:") && name.startsWith("default"))) return;
    for (const { path, key, text } of textsOf(props))
      for (const kind of plainSecrets(text, keyFor(type, path, key, props)))
        report(`${name} must hold no secret in plain text, and its ${path} holds ${kind}.`);
  },
};

export const rules = [disallowInConfig, disallowInInput];
