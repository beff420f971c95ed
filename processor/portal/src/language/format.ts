import { useMemo } from "react";
import { useTranslation } from "react-i18next";

const sizes = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
const spans = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
] as const;

/** How numbers, sizes and times are written in a language. */
export function formatIn(language: string) {
  const number = new Intl.NumberFormat(language);
  // A year or a code of four digits stays as it is.
  const cell = new Intl.NumberFormat(language, { maximumFractionDigits: 6, useGrouping: "min2" });
  const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const moment = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  // A date in a table has no time zone.
  const date = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeZone: "UTC" });
  const unit = (unit: string, value: number, digits: number, unitDisplay: "short" | "long" = "short") =>
    new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay, maximumFractionDigits: digits }).format(value);

  return {
    number: (value: number) => number.format(value),
    cell: (value: number) => cell.format(value),
    /** A share of 1. What is not all is never shown as 100 %, what is not nothing never as 0 %. */
    percent: (share: number) =>
      percent.format(share > 0 && share < 1 ? Math.min(0.999, Math.max(0.001, share)) : share),
    /** A size in decimal units. */
    bytes(value: number) {
      const step = value < 1000 ? 0 : Math.min(sizes.length - 1, Math.floor(Math.log10(value) / 3));
      return unit(sizes[step] ?? "byte", value / 1000 ** step, step === 0 ? 0 : 1, step === 0 ? "long" : "short");
    },
    moment: (iso: string) => moment.format(new Date(iso)),
    exact: (iso: string) => exact.format(new Date(iso)),
    date: (iso: string) => date.format(new Date(iso)),
    /** How long ago, in the largest unit that fits; `now` in milliseconds. */
    ago(iso: string, now = Date.now()) {
      const seconds = Math.min(0, (Date.parse(iso) - now) / 1000);
      const span = spans.find(([, length]) => -seconds >= length);
      return span === undefined ? relative.format(0, "second") : relative.format(Math.ceil(seconds / span[1]), span[0]);
    },
    /** A duration in milliseconds. */
    duration(ms: number) {
      if (ms < 1000) return unit("millisecond", ms, 0);
      if (ms < 60_000) return unit("second", ms / 1000, 1);
      const minutes = Math.floor(ms / 60_000);
      return `${unit("minute", minutes, 0)} ${unit("second", Math.floor((ms % 60_000) / 1000), 0)}`;
    },
  };
}

export type Format = ReturnType<typeof formatIn>;

/** How to write numbers, sizes and times in the language shown. */
export function useFormat(): Format {
  const { i18n } = useTranslation();
  return useMemo(() => formatIn(i18n.language), [i18n.language]);
}
