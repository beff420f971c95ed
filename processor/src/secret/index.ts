import { open } from "node:fs/promises";
import { resolve } from "node:path";
import type { SecretBinding } from "@cais/spec/bindings.ts";

/**
 * Reads a secret, without the newline that editors leave at its end. A file that everyone on the machine can read is
 * refused. A relative path is below `dataFolder`.
 */
export async function readSecret({ path }: SecretBinding, dataFolder: string): Promise<string> {
  const file = resolve(dataFolder, path);
  const handle = await open(file).catch((error: unknown) => {
    throw new Error(`The secret file ${file} cannot be read; put the secret there.`, { cause: error });
  });
  try {
    const { mode } = await handle.stat();
    if (process.platform !== "win32" && (mode & 0o004) !== 0)
      throw new Error(`The secret file ${file} can be read by everyone; run chmod 600 on it.`);
    return (await handle.readFile("utf8")).replace(/\r?\n$/, "");
  } finally {
    await handle.close();
  }
}
