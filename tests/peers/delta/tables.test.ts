import { join } from "node:path";
import { describe } from "vitest";
import { startReferee } from "../referee.ts";
import { holdTablesAgainst } from "../tables.ts";

describe("delta-rs", () => {
  holdTablesAgainst(() =>
    startReferee(process.env["CAIS_PYTHON"] ?? "python3", [join(import.meta.dirname, "referee.py")]),
  );
});
