import type { Table } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import { Icon } from "../icon/Icon.tsx";
import classes from "./Layer.module.css";

/** A table's layer in everyday words. */
export function Layer({ layer }: { layer: Table["layer"] }) {
  const { t } = useTranslation();
  return (
    <span className={classes.layer} data-layer={layer}>
      <Icon name={layer === "gold" ? "chart" : "table"} size={14} />
      {t(`tables.${layer}`)}
    </span>
  );
}
