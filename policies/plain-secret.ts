import * as pulumi from "@pulumi/pulumi";
import { textsOf } from "./inputs.ts";
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
      // What keys of metadata say of their values, the rules of the nouns that have some look at.
      for (const kind of plainSecrets(text, path.startsWith("metadata.") ? "" : key))
        report(`${name} must hold no secret in plain text, and its ${path} holds ${kind}.`);
  },
};

export const rules = [disallowInConfig, disallowInInput];
