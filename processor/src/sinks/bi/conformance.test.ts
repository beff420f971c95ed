import { expect } from "vitest";
import { behavesAsSink, type Receiver } from "../conformance.ts";
import { startPowerBi } from "./power-bi-for-tests.ts";

behavesAsSink({
  asked: { bi: { table: "sold", url: { secret: "push" }, rows: "all" } },
  of: "run",
  // Power BI has the rows when the delivery does not know yet.
  doublesAt: ["before progress"],
  saves: true,
  secret: "push",
  refused: /^Power BI refuses it \(400 Fault\); compare the columns' names and types with the dataset's\. /,
  receiver: powerBiReceiver,
});

async function powerBiReceiver(): Promise<Receiver> {
  const bi = await startPowerBi(Date.now);
  const fault = (status: number) => {
    bi.next = Array.from({ length: 9 }, () => ({ status }));
  };
  return {
    secrets: { push: bi.pushUrl },
    times: async () => bi.rows.filter(({ amount }) => amount === 1.5).length,
    async holds({ amounts }) {
      const rows = amounts.map((amount) => ({ day: "2024-01-02", amount, note: "=1+1" }));
      const found = new Set(bi.rows.map((row) => JSON.stringify(row)));
      expect(found).toEqual(new Set(rows.map((row) => JSON.stringify(row))));
    },
    down: async () => fault(503),
    up: async () => void (bi.next = []),
    refuse: () => fault(400),
    close: () => bi.close(),
  };
}
