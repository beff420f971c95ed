import { copyFile, mkdir, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "../processor-for-tests.ts";
import { behavesAsLedger } from "./conformance.ts";
import { openLedger } from "./index.ts";

behavesAsLedger(async () => {
  const folder = await testFolder("ledger");
  let crashes = 0;
  const file = () => join(folder, `${crashes}`, "ledger.sqlite");
  return {
    shared: false,
    open: (clocks) => openLedger({ driver: "sqlite", file: file() }, clocks),
    async openAfterCrash(ledger, clocks) {
      const before = file();
      crashes += 1;
      await mkdir(join(folder, `${crashes}`));
      // As they lie there while the ledger is open: closing it would write more.
      for (const part of ["", "-wal"]) if (existsSync(before + part)) await copyFile(before + part, file() + part);
      await ledger.close();
      return openLedger({ driver: "sqlite", file: file() }, clocks);
    },
    remove: () => rm(folder, { recursive: true }),
  };
});
