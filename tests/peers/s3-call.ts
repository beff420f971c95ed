import { createHash, createHmac } from "node:crypto";

/** An S3 API and a key for it. */
export interface S3 {
  endpoint: string;
  region: string;
  access: string;
  secret: string;
}

export interface S3Request {
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string;
  /** `sns` for topics. Default: s3. */
  service?: string;
}

/**
 * One request to an S3 API, signed with version 4
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). Throws when it is refused.
 */
export async function s3Call(s3: S3, method: string, path: string, request: S3Request = {}): Promise<string> {
  const { query = {}, headers = {}, body = "", service = "s3" } = request;
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const hash = createHash("sha256").update(body).digest("hex");
  const url = new URL(path.split("/").map(encode).join("/"), s3.endpoint);
  const asked = Object.entries(query)
    .map((pair) => pair.map(encode).join("="))
    .toSorted()
    .join("&");
  const signed: Record<string, string> = {
    ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    host: url.host,
    "x-amz-content-sha256": hash,
    "x-amz-date": time,
  };
  const names = Object.keys(signed).toSorted();
  const lines = names.map((name) => `${name}:${signed[name]}\n`).join("");
  const canonical = [method, url.pathname, asked, lines, names.join(";"), hash].join("\n");
  const scope = `${day}/${s3.region}/${service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  const key = [day, s3.region, service, "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${s3.secret}`);
  const authorization = `AWS4-HMAC-SHA256 Credential=${s3.access}/${scope}, SignedHeaders=${names.join(";")}, Signature=${hmac(key, text).toString("hex")}`;
  const { host: _, ...sent } = signed;
  const answer = await fetch(asked === "" ? url : `${url.href}?${asked}`, {
    method,
    headers: { ...sent, authorization },
    body: body === "" ? null : body,
  });
  const answered = await answer.text();
  if (!answer.ok) throw new Error(`${s3.endpoint} refused ${method} ${path}: ${answer.status} ${answered}`);
  return answered;
}

const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();

const encode = (text: string) =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
