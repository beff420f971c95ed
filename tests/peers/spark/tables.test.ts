import { join } from "node:path";
import { describe } from "vitest";
import { startReferee } from "../referee.ts";
import { holdTablesAgainst } from "../tables.ts";

describe("Spark", () => {
  const program = process.env["CAIS_SPARK_PYTHON"] ?? "python3";
  const args = [join(import.meta.dirname, "referee.py"), process.env["CAIS_SPARK_JARS"] ?? ""];
  holdTablesAgainst(() => startReferee(program, args), { every: 5 });
});
