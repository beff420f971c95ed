import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Unavailable, type Peer } from "../peer.ts";
import { installPython } from "../python-packages.ts";

const run = promisify(execFile);
const ivy = join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "spark", "ivy");

/** Pinned: a referee that changes by itself is none. */
const packages = ["pyspark==4.0.1", "delta-spark==4.0.0"];

/** Spark reads the tables that we wrote, and writes on in them. */
export const peer: Peer = {
  installs: `installs ${packages.join(", ")} into .cais/peers/spark with uv or pip (430 MB to download, 500 MB on the disk) and delta-spark's jars (8 MB) from Maven Central; needs Java 17 or 21`,
  async prepare() {
    await haveJava();
    const python = await installPython("spark", packages);
    if (!existsSync(join(ivy, "jars")))
      try {
        await run(python, [join(import.meta.dirname, "referee.py"), ivy, "--prepare"]);
      } catch (cause) {
        throw new Unavailable(`delta-spark's jars cannot be had: ${(cause as Error).message}`, { cause });
      }
    return { CAIS_SPARK_PYTHON: python, CAIS_SPARK_JARS: ivy };
  },
};

/** Spark 4.0 runs on Java 17 and 21: https://spark.apache.org/docs/4.0.1/ */
async function haveJava(): Promise<void> {
  let told: string;
  try {
    // It tells its version on standard error.
    told = (await run("java", ["-version"])).stderr;
  } catch (cause) {
    throw new Unavailable("there is no Java on PATH; Spark needs 17 or 21.", { cause });
  }
  const [, version] = /version "(\d+)/.exec(told) ?? [];
  if (version !== "17" && version !== "21")
    throw new Unavailable(`Java is version ${version ?? "unknown"}; Spark needs 17 or 21.`);
}
