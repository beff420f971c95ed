import { expect, it } from "vitest";
import { table, within } from "./markdown.ts";

const rest = "**The rest is left out: it is too long for a comment.** The command without `--markdown` shows all.\n";
const rows = Array.from({ length: 100 }, (_, at) => [`row ${at}`]);

it("cuts a table between its rows where it is too long for a comment", () => {
  const told = within(400, ["## Head", table(["name"], rows), "after"]);
  const kept = told.match(/^\| row \d+ \|$/gm) ?? [];
  expect(told).toBe(`## Head\n\n${table(["name"], rows.slice(0, kept.length))}\n\n${rest}`);
  expect(told.length).toBeLessThanOrEqual(400);
  expect(told.length + "| row 10 |\n".length).toBeGreaterThan(400);
});

it("leaves out what cannot be cut, and a table of which no row has room", () => {
  expect(within(400, ["## Head", `\`\`\`\n${"line\n".repeat(100)}\`\`\``])).toBe(`## Head\n\n${rest}`);
  expect(within(rest.length + 30, ["## Head", table(["name"], rows)])).toBe(`## Head\n\n${rest}`);
});

it("leaves what has room as it is", () => {
  expect(within(400, ["a", "b"])).toBe("a\n\nb\n");
});
