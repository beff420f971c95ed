import { useComputedColorScheme, useMantineTheme } from "@mantine/core";
import { useReducedMotion } from "@mantine/hooks";
import { BarChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { init, use, type EChartsType } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "../language/format.ts";
import { dateCell } from "./cell.ts";
import type { Series } from "./chart.ts";
import { coloursOf } from "./colours.ts";

use([BarChart, GridComponent, TooltipComponent, SVGRenderer]);

interface ChartProps {
  series: Series[];
  measure: string;
  x: string;
  time: boolean;
}

const inks = {
  light: { text: "#55606c", line: "#dde3e9", ground: "#ffffff", strong: "#1c232b" },
  dark: { text: "#a2acb9", line: "#313a46", ground: "#222a34", strong: "#e6eaef" },
};

/** Bars, with a sentence that says what they show for who cannot see them. */
export default function Chart({ series, measure, x, time }: ChartProps) {
  const { t, i18n } = useTranslation();
  const format = useFormat();
  const scheme = useComputedColorScheme("light");
  const theme = useMantineTheme();
  const still = useReducedMotion();
  const frame = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType>(null);

  const written = useMemo(() => {
    const at = (value: string) => (time ? dateCell(value, format) : null) ?? value;
    const bars = series.flatMap(({ bars }) => bars);
    const ordered = time ? bars.toSorted((a, b) => a.x.localeCompare(b.x)) : bars;
    const highest = bars.reduce((a, b) => (b.value > a.value ? b : a), bars[0] ?? { x: "", value: 0 });
    return t("chart.alternative", {
      measure,
      x,
      bars: t("chart.bars", { count: bars.length, number: format.number(bars.length) }),
      first: at(ordered[0]?.x ?? ""),
      last: at(ordered.at(-1)?.x ?? ""),
      max: format.cell(highest.value),
      at: at(highest.x),
    });
  }, [series, measure, x, time, format, t]);

  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const drawn = init(element, null, { renderer: "svg" });
    chart.current = drawn;
    const observer = new ResizeObserver(() => drawn.resize());
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.dispose();
    };
  }, []);

  useEffect(() => {
    const ink = inks[scheme];
    const months = new Intl.DateTimeFormat(i18n.language, { month: "short", year: "2-digit", timeZone: "UTC" });
    const days = new Intl.DateTimeFormat(i18n.language, { day: "numeric", month: "short", timeZone: "UTC" });
    const fontFamily = theme.fontFamily;
    const label = { color: ink.text, fontFamily, fontSize: 12, hideOverlap: true };
    // ECharts stacks by position, so every series needs every place along the bottom.
    const places = [...new Set(series.flatMap(({ bars }) => bars.map(({ x }) => x)))];
    if (time) places.sort();
    const aligned = (bars: Series["bars"]) => {
      const values = new Map(bars.map(({ x, value }) => [x, value]));
      return places.map((place) => [place, values.get(place) ?? null]);
    };
    const startOfMonth = (ms: number) => new Date(ms).getUTCDate() === 1;
    chart.current?.setOption(
      {
        animation: !still,
        useUTC: true,
        color: coloursOf(scheme, series.length),
        grid: { left: 8, right: 12, top: 16, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
        tooltip: {
          // A bar may be thinner than a fingertip: anywhere above its place will do.
          trigger: "axis",
          axisPointer: { lineStyle: { color: ink.text } },
          backgroundColor: ink.ground,
          borderColor: ink.line,
          textStyle: { color: ink.strong, fontFamily },
          formatter: (bars: { value: [string, number | null]; seriesName: string }[]) => {
            const shown = bars.flatMap(({ value: [x, height], seriesName }) =>
              height === null
                ? []
                : [{ x, text: series.length > 1 ? `${format.cell(height)} (${seriesName})` : format.cell(height) }],
            );
            const at = shown[0]?.x ?? "";
            const tip = document.createElement("div");
            // Text, never HTML: names come from the file.
            tip.innerText = [
              (time ? dateCell(at, format) : null) ?? at,
              ...shown.map(({ text }) => `${measure}: ${text}`),
            ].join("\n");
            return tip;
          },
        },
        xAxis: {
          type: time ? "time" : "category",
          axisLabel: time
            ? {
                ...label,
                alignMinLabel: "left",
                alignMaxLabel: "right",
                formatter: (ms: number) => (startOfMonth(ms) ? months : days).format(ms),
              }
            : label,
          axisLine: { lineStyle: { color: ink.line } },
          axisTick: { show: false },
          splitLine: { show: false },
        },
        yAxis: {
          type: "value",
          axisLabel: { ...label, formatter: (value: number) => format.cell(value) },
          splitLine: { lineStyle: { color: ink.line } },
        },
        series: series.map(({ name, bars }) => ({
          type: "bar",
          name: name ?? t("chart.noValue"),
          stack: "all",
          barMaxWidth: 48,
          barMinWidth: 1,
          barCategoryGap: "15%",
          data: aligned(bars),
        })),
      },
      { notMerge: true },
    );
  }, [series, measure, time, scheme, still, theme, format, t, i18n.language]);

  return <div ref={frame} role="img" aria-label={written} style={{ width: "100%", height: 320 }} />;
}
