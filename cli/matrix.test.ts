import { describe, expect, it } from "vitest";
import { matrixOf } from "./matrix.ts";

const entry = (unsupported: Record<string, string> = {}) => ({ unsupported });

describe("matrixOf", async () => {
  const page = await matrixOf({
    "object-store": { local: entry({ versioned: "back the folder up" }), openstack: entry() },
    network: { local: { omitted: "the loopback" }, openstack: entry() },
    warehouse: { local: { omitted: "any Postgres" }, openstack: entry() },
  });
  const lines = page.split("\n");

  it("says of each component what it is on each target", () => {
    expect(lines.filter((line) => line.startsWith("| component | local | docker"))).toHaveLength(1);
    expect(lines).toContain(
      "| object-store | deployed here | not built yet | not built yet | deployed here | not built yet | not built yet |",
    );
    expect(lines).toContain(
      "| network | unsupported | not built yet | not built yet | deployed here | not built yet | not built yet |",
    );
  });

  it("says of what no test made that it is planned", () => {
    expect(lines).toContain(
      "| warehouse | unsupported | not built yet | not built yet | planned | not built yet | not built yet |",
    );
  });

  it("lists what is to be used instead of each gap", () => {
    expect(lines).toContain("| object-store | local | `versioned` | back the folder up |");
    expect(lines).toContain("| network | local | the whole component | the loopback |");
    expect(lines.filter((line) => line.includes("| openstack | `"))).toEqual([]);
  });
});
