import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const openssl = async (...words: string[]) => run("openssl", words);

/** Files of a private authority and of a server that it vouches for, with their texts. */
export interface Authority {
  ca: string;
  key: string;
  cert: string;
  keyFile: string;
  certFile: string;
}

/** A new private authority, and a certificate of it for an address. */
export async function makeAuthority(folder: string, address: string): Promise<Authority> {
  const at = (file: string) => join(folder, file);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const own = ["-keyout", at("ca.key"), "-out", at("ca.pem"), "-days", "2", "-subj", "/CN=Cais test authority"];
  await openssl("req", "-x509", ...curve, ...own);
  await openssl("req", ...curve, "-keyout", at("server.key"), "-out", at("server.csr"), "-subj", "/CN=server");
  await writeFile(at("server.ext"), `subjectAltName=IP:${address},IP:127.0.0.1\n`);
  const signed = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "2"];
  await openssl(
    "x509",
    "-req",
    "-in",
    at("server.csr"),
    ...signed,
    "-extfile",
    at("server.ext"),
    "-out",
    at("server.pem"),
  );
  const [ca, key, cert] = await Promise.all(
    ["ca.pem", "server.key", "server.pem"].map(async (file) => readFile(at(file), "utf8")),
  );
  return { ca: ca ?? "", key: key ?? "", cert: cert ?? "", keyFile: at("server.key"), certFile: at("server.pem") };
}
