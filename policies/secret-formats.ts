import { readable, withoutHidden } from "./encoded.ts";

/** A kind of secret that shows in its text. Each `source` says what the issuer's secrets look like. */
interface Format {
  /** With its article, as a message names it. */
  readonly kind: string;
  readonly pattern: RegExp;
  readonly source: string;
}

const formats: readonly Format[] = [
  {
    kind: "a private key",
    pattern: /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/,
    source: "https://www.rfc-editor.org/rfc/rfc7468",
  },
  {
    kind: "an AWS access key",
    pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/,
    source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
  },
  {
    kind: "an Azure key",
    pattern: /\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,86}={1,2}/,
    source: "https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string",
  },
  {
    kind: "an Azure client secret",
    pattern: /(?<![\w~.])[\w~.]{3}\dQ~[\w~.-]{31,34}(?![\w~.-])/,
    source: "https://learn.microsoft.com/purview/sit-defn-azure-ad-client-secret",
  },
  {
    kind: "a shared access signature",
    pattern: /[?&]sig=[\w%+/-]{40,}/,
    source: "https://learn.microsoft.com/rest/api/storageservices/create-service-sas",
  },
  {
    kind: "a signed Swift address",
    pattern: /[?&]temp_url_sig=[0-9A-Za-z:+/=_-]{40,}/,
    source: "https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html",
  },
  {
    kind: "a Keystone token",
    pattern: /\bgAAAAA[\w-]{80,}/,
    source: "https://docs.openstack.org/keystone/latest/admin/tokens-overview.html#fernet-tokens",
  },
  {
    kind: "a GitHub token",
    pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_\w{82})\b/,
    source: "https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/",
  },
  {
    kind: "a GitLab token",
    pattern: /\bgl(?:pat|dt|rt|cbt|ptt)-[\w-]{20,}/,
    source: "https://docs.gitlab.com/security/tokens/#token-prefixes",
  },
  {
    kind: "a Slack token",
    pattern: /\bx(?:ox[abeoprs]|app)-[\w-]{10,}/,
    source: "https://docs.slack.dev/authentication/tokens",
  },
  {
    kind: "a Slack webhook",
    pattern: /\bhooks\.slack\.com\/(?:services|workflows|triggers)\/[\w/]{20,}/,
    source: "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
  },
  {
    kind: "a Power BI push address",
    pattern: /\bapi\.powerbi\.com\/\S{1,500}[?&]key=[\w%+/-]{20,}/,
    source: "https://learn.microsoft.com/power-bi/connect-data/service-real-time-streaming",
  },
  {
    kind: "a Google API key",
    pattern: /\bAIza[\w-]{35}(?![\w-])/,
    source: "https://cloud.google.com/docs/authentication/api-keys",
  },
  {
    kind: "an npm token",
    pattern: /\bnpm_[A-Za-z0-9]{36}\b/,
    source: "https://github.blog/changelog/2021-09-23-npm-has-a-new-access-token-format/",
  },
  {
    kind: "a Pulumi token",
    pattern: /\bpul-[0-9a-f]{40}\b/,
    source: "https://www.pulumi.com/docs/pulumi-cloud/access-management/access-tokens/",
  },
  {
    kind: "a Databricks token",
    pattern: /\bdapi[0-9a-f]{32}(?:-\d)?\b/,
    source: "https://docs.databricks.com/aws/en/dev-tools/auth/pat",
  },
  {
    kind: "a Stripe key",
    pattern: /\b[rs]k_live_[A-Za-z0-9]{20,}/,
    source: "https://docs.stripe.com/keys",
  },
  {
    kind: "a Vault token",
    pattern: /\bhv[sbr]\.[\w-]{24,}/,
    source: "https://developer.hashicorp.com/vault/docs/concepts/tokens",
  },
  {
    kind: "a Docker token",
    pattern: /\bdckr_[po]at_[\w-]{20,}/,
    source: "https://docs.docker.com/security/access-tokens/",
  },
  {
    kind: "an age key",
    pattern: /\bAGE-SECRET-KEY-1[A-Z0-9]{50,}/,
    source: "https://github.com/FiloSottile/age",
  },
  {
    kind: "a JSON web token",
    pattern: /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/,
    source: "https://www.rfc-editor.org/rfc/rfc7519",
  },
];

/**
 * The kinds of secret that stand in a text for all to read, each once, without the secret itself: known formats, passwords
 * in addresses, values of what is named a password or a key, and random texts. `key` is the name that the text has where
 * it stands. Digests, UUIDs, public keys and certificates are none; what base64 hides is read.
 */
export function plainSecrets(given: string, key = ""): string[] {
  const kinds = new Set<string>();
  const text = readable(given);
  for (const { kind, pattern } of formats) if (pattern.test(text)) kinds.add(kind);
  for (const [, password = ""] of text.matchAll(/\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/:@"']{0,200}:([^\s/@"']{1,500})@/gi))
    if (!isPlaceholder(password)) kinds.add("a password in an address");
  for (const [kind, pattern] of commands)
    for (const [, password = ""] of text.matchAll(pattern)) if (!isPlaceholder(password)) kinds.add(kind);
  if (kinds.size === 0) {
    const found = [...text.matchAll(assignment), ...text.matchAll(option)];
    const named = [[key, given], ...found.map(([, name = "", value = ""]) => [name, value])];
    for (const [name = "", value = ""] of named) {
      const kind = kindOfNamed(name, value);
      if (kind) kinds.add(kind);
    }
  }
  if (kinds.size === 0 && randomTexts(withoutHidden(text)).some(isRandom)) kinds.add("a random text such as a key");
  return [...kinds];
}

/** `name: value` and `name=value` as YAML, JSON, env files and command lines write it. */
const assignment = /([A-Za-z][\w.-]{2,60})["']?[ \t]{0,3}[:=][ \t]{0,3}["']?([^\s"',;}]{1,512})/g;

/** `--name value` as command lines write it besides. */
const option = /--([a-z][\w-]{2,60}) +["']?([^\s"',;|&]{1,512})/g;

/** Where passwords stand without a name of their own. */
const commands: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ["a password", /\blogin\s+\S{1,200}\s+password\s+(\S{1,500})/g],
  ["a password", /\bcurl\s[^\n]{0,1000}?(?:-u|--user)[ =]?["']?[^\s:"'$]{1,200}:([^\s"']{1,500})/g],
  ["a password", /\bsshpass\s+-p\s*["']?([^\s"']{1,500})/g],
  [
    "an Authorization header",
    /\bAuthorization["']?\s*[:=]\s*["']?(?:Basic|Bearer|Token)\s+([\w.~+/=$<{[%-]{8,4000})/gi,
  ],
  ["a registry's password", /"auth"\s*:\s*"([A-Za-z0-9+/]{8,}={0,2})"/g],
];

const passwordNames = ["password", "passwd", "passphrase", "pwd", "psk", "presharedkey"];
/** Not the end of another word, such as `bypass`. */
const pass = /(?:^|[_.:-])pass$|(?:^|[_.:-])PASS$|[a-z]Pass$/;
const keyNames = [
  "secret",
  "token",
  "apikey",
  "accesskey",
  "secretkey",
  "privatekey",
  "accountkey",
  "sharedkey",
  "signingkey",
  "encryptionkey",
  "masterkey",
  "tempurlkey",
  "synckey",
  "webhookkey",
  "credential",
];

function kindOfNamed(name: string, value: string): string | undefined {
  if (isPlaceholder(value)) return undefined;
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const endsWith = (ending: string) => plain.endsWith(ending);
  // A password may be any word; `true` or a number says something about passwords.
  if (passwordNames.some(endsWith) || pass.test(name))
    return /^(?:true|false|null|none|~|\d{1,3})$/i.test(value) || isCode(value) ? undefined : "a password";
  return keyNames.some(endsWith) && isKeyLike(value) ? `a value of ${name}` : undefined;
}

/** What programs and schemas write where a password will be: its type, a call, a variable of the usual names. */
const isCode = (value: string) =>
  /^(?:str|string|text|required|optional|undefined)[)\]|]*$|^[a-z_][\w.]*\(|^(?:os|process|env|self|this|form|config|settings|args|req|request)\.[a-z_]/i.test(
    value,
  );

/** What stands for a value to come: a hidden or unknown one, a variable, a template, an example's stars. */
const isPlaceholder = (value: string) =>
  value === "" ||
  /^(?:[[<{*`]|[$%](?:[({a-z_]|\d$)|file:|x{3,}|\.{3})|\[secret\]|\[unknown\]|\$\{|\{\{|\*{3}/i.test(value);

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Letters and digits without order: no name made of words, no address or path, no id. */
function isKeyLike(value: string): boolean {
  if (value.length < 16 || !/\d/.test(value) || !/[a-z]/i.test(value)) return false;
  if (uuid.test(value) || /:\/\/|^[./~]|\s/.test(value)) return false;
  const isOfWords = value
    .split(/[-_.:/@]/)
    .every((part) => /^(?:[a-z]{0,14}|[A-Z]{0,14}|[A-Z][a-z]+|v?\d{1,8})$/.test(part));
  return !isOfWords && entropy(value) >= 3;
}

/** What a certificate, a public key or the digest of a file consists of is random, and no secret. */
const publicTexts =
  /-----BEGIN (?:CERTIFICATE|PUBLIC KEY|X509 CRL)-----[^-]*|\b(?:ssh-|ecdsa-|sk-ssh-)\S* +AAAA[A-Za-z0-9+/=]+|\bsha(?:256|384|512)[-:][A-Za-z0-9+/=]+/g;

const randomTexts = (text: string) => text.replaceAll(publicTexts, " ").match(/[A-Za-z0-9+_-]{32,}/g) ?? [];

/** The limit is that of detect-secrets for base64 (https://github.com/Yelp/detect-secrets); hexadecimal texts stay below it. */
const isRandom = (text: string) =>
  /[a-z]/.test(text) && /[A-Z]/.test(text) && /\d.*\d/.test(text) && entropy(text) >= 4.5;

/** Shannon's, in bits per character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - (count / text.length) * Math.log2(count / text.length), 0);
}
