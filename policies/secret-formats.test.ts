import { createHash, generateKeyPairSync } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { plainSecrets } from "./secret-formats.ts";

/** Random letters and digits that are the same in every run. */
const letters = (length: number, salt = "") =>
  createHash("sha512").update(`letters ${salt}`).digest("base64").replaceAll(/[+/=]/g, "").slice(0, length);
const hex = (length: number) => createHash("sha512").update("hex").digest("hex").slice(0, length);
const base64 = (text: string) => Buffer.from(text).toString("base64");
// Put together here, so that no scanner of this repository takes them for real ones.
const token = `${"gh"}p_${letters(36)}`;
const { privateKey, publicKey } = generateKeyPairSync("ed25519");

describe("plainSecrets", () => {
  it.each([
    ["a private key", privateKey.export({ type: "pkcs8", format: "pem" }).toString()],
    ["an AWS access key", `id=${"AK"}IA${hex(16).toUpperCase()}`],
    ["an Azure key", `AccountName=a;AccountKey=${base64(hex(64))};EndpointSuffix=core.windows.net`],
    ["an Azure client secret", `abc8${"Q"}~${letters(34)}`],
    ["a shared access signature", `https://a.test/c?sv=2024-01-01&sig=${letters(43)}%3D`],
    ["a signed Swift address", `https://a.test/v1/AUTH_a/c/o?temp_url_sig=${hex(40)}&temp_url_expires=1`],
    ["a Keystone token", `${"gAA"}AAA${letters(84)}`],
    ["a GitHub token", `export X=${token}`],
    ["a GitHub token", `${"github"}_pat_${hex(82)}`],
    ["a GitLab token", `${"gl"}pat-${letters(20)}`],
    ["a Slack token", `${"xo"}xb-123456789012-${letters(24)}`],
    ["a Slack webhook", `https://${"hooks"}.slack.com/services/T00000000/B00000000/${letters(24)}`],
    ["a Power BI push address", `https://api.powerbi.com/beta/t/datasets/d/rows?key=${letters(40)}`],
    ["a Google API key", `${"AI"}za${letters(35)}`],
    ["an npm token", `${"np"}m_${letters(36)}`],
    ["a Pulumi token", `${"pu"}l-${hex(40)}`],
    ["a Databricks token", `${"da"}pi${hex(32)}`],
    ["a Stripe key", `${"sk"}_live_${letters(24)}`],
    [
      "a JSON web token",
      [base64('{"alg":"none"}'), base64('{"sub":"someone"}'), letters(43)].join(".").replaceAll("=", ""),
    ],
    ["a password in an address", "postgres://user:hunter2@db.test/x"],
    ["a password", '{ "db": { "password": "hunter2" } }'],
    ["a password", "chpasswd: true\nDB_PASSWORD=hunter2"],
    ["a value of api_token", `api_token: ${hex(32)}`],
    ["a value of clientSecret", `clientSecret=${letters(20)}`],
    ["a random text such as a key", `curl -H ${letters(60)}`],
    ["a Vault token", `${"hv"}s.${letters(30)}`],
    ["a Docker token", `${"dckr"}_pat_${letters(27)}`],
    ["an age key", `${"AGE"}-SECRET-KEY-1${"Q".repeat(58)}`],
    ["a password", "machine a.test login b password hunter2"],
    ["a password", "curl -sf -u b:hunter2 https://a.test"],
    ["a password", "sshpass -p hunter2 ssh a"],
    ["a password", "mysql --password hunter2"],
    ["a password", "DB_PASS=hunter2"],
    ["an Authorization header", `curl -H 'Authorization: Bearer ${hex(40)}'`],
    ["a registry's password", `{ "auths": { "r.test": { "auth": "${base64("a:hunter2")}" } } }`],
    ["a private key", gzipSync(privateKey.export({ type: "pkcs8", format: "pem" })).toString("base64")],
    ["a GitHub token", base64(`${"x ".repeat(20)}${token}${" y".repeat(50)}`).replaceAll(/(.{76})/g, "$1\n")],
    ["a GitHub token", base64(`#!/bin/sh\necho ${token}\n`)],
    ["a GitHub token", base64(`write_files:\n- encoding: b64\n  content: ${base64(`token ${token}`)}\n`)],
  ])("finds %s", (kind, text) => {
    expect(plainSecrets(text)).toEqual([kind]);
  });

  it.each([
    ["password", "hunter2", ["a password"]],
    ["hashed_passwd", "$6$salt$digest", ["a password"]],
    ["password", "$PASSWORD", []],
    ["password", "$1", []],
    ["openstack:password", "hunter2", ["a password"]],
    ["temp-url-key", hex(24), ["a value of temp-url-key"]],
    ["accessKey", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ["a value of accessKey"]],
    ["password", "[secret]", []],
    ["presharedKey", "hunter2", ["a password"]],
    ["adminPass", "hunter2", ["a password"]],
    ["bypass", "hunter2", []],
    ["password", "`cat /run/password`", []],
    ["passwordLength", "12", []],
    ["token", "", []],
    ["tokenUrl", `https://a.test/${hex(20)}`, []],
    ["secret", "power-bi-address-2", []],
    ["secretRef", `https://vault.test/v1/secrets/${hex(20)}`, []],
  ])("judges %s by its name: %s", (key, value, kinds) => {
    expect(plainSecrets(value, key)).toEqual(kinds);
  });

  it.each([
    `registry.test/a@sha256:${hex(64)}`,
    hex(40),
    "123e4567-e89b-12d3-a456-426614174000",
    "secret: 123e4567-e89b-12d3-a456-426614174000",
    `integrity: sha512-${createHash("sha512").update("x").digest("base64")}`,
    publicKey.export({ type: "spki", format: "pem" }).toString(),
    `ssh-ed25519 AAAA${letters(64)} someone@a.test`,
    base64("A text of some length, in which Nobody hides anything: 12 words."),
    "/v1/AUTH_0123456789abcdef/Container-With-A-Long-Name-2026/**",
    "urn:pulumi:prod::cais::cais:storage:ObjectStore$openstack:objectstorage/container:Container::inmet-input",
    "https://user@a.test:8080/path, https://a.test:8080/@scope/b",
    "postgres://user:${PASSWORD}@db.test/x",
    "password: ${DB_PASSWORD}\ntoken={{ token }}\napi_key=<yours>",
    "--mount type=bind,src=/run/cais/secrets/processor,dst=/run/cais/secrets,readonly",
    "00000000-0000-4000-8000-000000000002",
    "chpasswd:\n  expire: false\n  password: ~\nlock_passwd: true",
    'password = os.environ["DB_PASSWORD"]\npassword = form.password.value\ndef login(password: str, pwd=read("a"))',
    "docker run -u 10001:10001 --password-file /run/p --secret processor-token a",
    'curl -u $USER:$PASSWORD -H "Authorization: Bearer $TOKEN" https://a.test',
    gzipSync("Nobody hides anything here.".repeat(20)).toString("base64"),
    `iVBORw0KGgo${letters(64)}`,
    "Out to anywhere; in only where a rule says so",
  ])("finds none in %s", (text) => {
    expect(plainSecrets(text)).toEqual([]);
  });

  it("takes time with a text's length alone", () => {
    const started = performance.now();
    for (const text of [" ", "a", `${"a".repeat(76)}\n`, "curl ", "password"])
      plainSecrets(text.repeat(200_000 / text.length));
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
