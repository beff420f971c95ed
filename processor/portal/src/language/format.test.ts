import { describe, expect, it } from "vitest";
import { formatIn } from "./format.ts";

// Intl parts numbers and units by spaces that do not break.
const plain = (text: string) => text.replaceAll(/[\u00A0\u202F]/g, " ");

describe("how things are written", () => {
  const english = formatIn("en");
  const portuguese = formatIn("pt-BR");

  it("numbers", () => {
    expect([english.number(17545), portuguese.number(17545)]).toEqual(["17,545", "17.545"]);
    expect([english.cell(2023), english.cell(-12345.678), portuguese.cell(0.4)]).toEqual([
      "2023",
      "-12,345.678",
      "0,4",
    ]);
  });

  it("shares, without rounding a few away", () => {
    expect([english.percent(1164 / 17545), english.percent(0), english.percent(1)]).toEqual(["6.6%", "0%", "100%"]);
    expect([english.percent(1e-9), english.percent(1 - 1e-9)]).toEqual(["0.1%", "99.9%"]);
  });

  it("sizes in decimal units", () => {
    const sizes = [0, 999, 1000, 1_660_000, 2e9].map((bytes) => plain(english.bytes(bytes)));
    expect(sizes).toEqual(["0 bytes", "999 bytes", "1 kB", "1.7 MB", "2 GB"]);
    expect(plain(portuguese.bytes(1_660_000))).toBe("1,7 MB");
  });

  it("durations", () => {
    const durations = [12.4, 1250, 61_000].map((ms) => plain(english.duration(ms)));
    expect(durations).toEqual(["12 ms", "1.3 sec", "1 min 1 sec"]);
  });

  it("how long ago", () => {
    const now = Date.parse("2024-03-10T12:00:00Z");
    const ago = (iso: string) => english.ago(iso, now);
    expect(ago("2024-03-10T11:59:30Z")).toBe("now");
    expect(ago("2024-03-10T11:58:01Z")).toBe("1 minute ago");
    expect(ago("2024-03-10T09:00:00Z")).toBe("3 hours ago");
    expect(ago("2024-03-09T11:00:00Z")).toBe("yesterday");
    expect(ago("2024-03-10T12:00:05Z")).toBe("now");
    expect(portuguese.ago("2024-03-10T11:58:00Z", now)).toBe("há 2 minutos");
  });

  it("a date as it is, wherever the reader is", () => {
    expect([english.date("2023-01-01"), portuguese.date("2023-01-01")]).toEqual(["Jan 1, 2023", "1 de jan. de 2023"]);
  });
});
