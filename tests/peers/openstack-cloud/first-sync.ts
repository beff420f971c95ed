import { execFile } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { z } from "zod";

const UserData = z.looseObject({ write_files: z.array(z.looseObject({ path: z.string(), content: z.string() })) });

/**
 * Writes into a folder what user data has a machine write at its first boot, and runs its `sync.py` there, once, with a systemctl
 * that does nothing. What the script says is the result.
 */
export async function firstSync(machine: string, userData: string): Promise<string> {
  const { write_files } = UserData.parse(parse(userData));
  for (const { path: file, content } of write_files) {
    await mkdir(path.join(machine, path.dirname(file)), { recursive: true });
    await writeFile(path.join(machine, file), content);
  }
  await mkdir(path.join(machine, "bin"));
  await writeFile(path.join(machine, "bin", "systemctl"), "#!/bin/sh\n");
  await chmod(path.join(machine, "bin", "systemctl"), 0o755);
  const env = { PATH: `${path.join(machine, "bin")}:/usr/bin:/bin`, PYTHONDONTWRITEBYTECODE: "1" };
  const sync = path.join(machine, "usr/local/lib/cais/sync.py");
  const { stdout } = await promisify(execFile)("python3", [sync, machine], { env });
  return stdout;
}
