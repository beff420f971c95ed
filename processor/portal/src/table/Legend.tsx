import { useComputedColorScheme } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useFormat } from "../language/format.ts";
import type { Series } from "./chart.ts";
import { coloursOf } from "./colours.ts";
import classes from "./Legend.module.css";

/** What each colour of a chart means, and how many bars have it. */
export function Legend({ column, series }: { column: string; series: Series[] }) {
  const { t } = useTranslation();
  const { number } = useFormat();
  const colours = coloursOf(useComputedColorScheme("light"), series.length);
  return (
    <ul className={classes.legend} aria-label={t("chart.legend", { column })}>
      {series.map(({ name, bars }, index) => (
        <li key={name}>
          <span className={classes.colour} style={{ background: colours[index] }} />
          <strong>{name ?? t("chart.noValue")}</strong>
          <span className={classes.count}>{t("chart.bars", { count: bars.length, number: number(bars.length) })}</span>
        </li>
      ))}
    </ul>
  );
}
