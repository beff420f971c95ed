import { describe, expect, it } from "vitest";
import { policiesOf } from "./policies.ts";

describe("policiesOf", () => {
  const page = policiesOf(
    {
      volume: [
        { control: "encryption", source: "FSBP EC2.3", rules: ["volume-require-encryption"] },
        { control: "a|b", source: "nobody", rules: [], why: "there is none" },
      ],
    },
    {
      volume: [
        {
          name: "volume-require-encryption",
          description: "Volumes must be encrypted.",
          severity: "high",
          enforcementLevel: "mandatory",
          remediationSteps: "Name a type that encrypts: <type>:* or `<type>`.",
          references: [
            { name: "A", url: "https://a.test" },
            { name: "B", url: "https://b.test" },
          ],
          validateResource: [],
        },
      ],
      region: [],
    },
  );
  const lines = page.split("\n");

  it("says of each control which rule holds it, or why none does", () => {
    expect(lines).toContain(
      "| encryption | FSBP EC2.3 | [`volume-require-encryption`](#volume-require-encryption) |  |",
    );
    expect(lines).toContain("| a\\|b | nobody | none | there is none |");
  });

  it("tells of each rule how bad its violation is, what to do and who says so", () => {
    expect(lines).toContain(
      "Volumes must be encrypted. *high, mandatory.* Name a type that encrypts: \\<type>:\\* or `<type>`. See [A](https://a.test), [B](https://b.test).",
    );
    expect(lines.filter((line) => line.startsWith("## "))).toEqual(["## volume", "## region"]);
  });
});
