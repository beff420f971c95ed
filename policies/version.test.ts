import { describe, expect, it } from "vitest";
import { endOfSupport, type Product } from "./version.ts";

describe("endOfSupport", () => {
  it.each<[Product, string, string, string | undefined]>([
    ["kubernetes", "v1.33.4", "2026-06-28", undefined],
    ["kubernetes", "v1.33.4", "2026-06-29", "2026-06-28"],
    ["kubernetes", "v1.35.1-rancher1", "2026-11-21", undefined],
    ["kubernetes", "1.9", "2026-11-21", "2026-02-28"],
    ["kubernetes", "v1.99.0", "2099-01-01", undefined],
    ["kubernetes", "latest", "2099-01-01", undefined],
    ["postgresql", "9.6", "2026-11-12", "2025-11-13"],
    ["postgresql", "14", "2026-11-12", undefined],
    ["postgresql", "14.12", "2026-11-13", "2026-11-12"],
    ["postgresql", "16.3", "2026-11-21", undefined],
    ["mysql", "8.0.45", "2026-05-01", "2026-04-30"],
    ["mysql", "8.2.0", "2026-05-01", "2024-04-10"],
    ["mysql", "8.4", "2026-05-01", undefined],
    ["mysql", "9.7", "2026-05-01", undefined],
    ["mariadb", "10.8", "2026-05-01", "2023-11-17"],
    ["mariadb", "10.11", "2026-05-01", undefined],
  ])("of %s %s on %s is %s", (product, version, day, end) => {
    expect(endOfSupport(product, version, new Date(`${day}T12:00:00Z`))).toBe(end);
  });
});
