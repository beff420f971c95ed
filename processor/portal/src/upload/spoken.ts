import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { announce } from "../announce/announce.tsx";
import { useFormat } from "../language/format.ts";

/** Says at every quarter how much of a file was sent: more would drown everything else. `share` is of 1. */
export function useSpokenShare(name: string, share: number) {
  const { t } = useTranslation();
  const { percent } = useFormat();
  const said = useRef(0);
  const quarter = Math.floor(share * 4) / 4;
  useEffect(() => {
    if (quarter > said.current) announce(t("upload.sayHalf", { name, percent: percent(quarter) }));
    said.current = quarter;
  }, [quarter, name, percent, t]);
}
