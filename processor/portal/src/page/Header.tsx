import { NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { stacksQuery } from "../api/queries.ts";
import { chooseLanguage, languages, type Language } from "../language/language.ts";
import { href, useRoute, type Route } from "../route/route.ts";
import { useTokenAsked } from "../token/token.ts";
import classes from "./Header.module.css";

const sections = [
  { name: "send", route: { view: "send" }, views: ["send"] },
  { name: "runs", route: { view: "runs" }, views: ["runs", "run"] },
  { name: "tables", route: { view: "tables" }, views: ["tables", "table"] },
] as const satisfies { name: string; route: Route; views: Route["view"][] }[];

const environments = ["dev", "staging", "prod"] as const;

function Environment() {
  const { t } = useTranslation();
  const asked = useTokenAsked();
  const { data } = useQuery({ ...stacksQuery, enabled: !asked });
  const environment = environments.find((name) => name === data?.environment);
  // In production nothing needs to be said.
  if (environment === undefined || environment === "prod") return null;
  return <span className={classes.environment}>{t(`environment.${environment}`)}</span>;
}

/** The bar above every view: where one can go, and in which language. */
export function Header() {
  const { t, i18n } = useTranslation();
  const { view } = useRoute();
  return (
    <header className={classes.header}>
      <div className={classes.inner}>
        <a className={classes.brand} href="#/" aria-label="Cais">
          <img src="./icon.svg" width={30} height={30} alt="" />
          <span>Cais</span>
        </a>
        <Environment />
        <nav className={classes.nav} aria-label={t("nav.label")}>
          {sections.map(({ name, route, views }) => (
            <a
              key={name}
              className={classes.link}
              href={href(route)}
              aria-current={views.some((each) => each === view) ? "page" : undefined}
            >
              {t(`nav.${name}`)}
            </a>
          ))}
        </nav>
        <NativeSelect
          className={classes.language ?? ""}
          size="xs"
          aria-label={t("nav.language")}
          value={i18n.language}
          onChange={({ currentTarget }) => void chooseLanguage(currentTarget.value as Language)}
          data={Object.entries(languages).map(([value, label]) => ({ value, label }))}
        />
      </div>
    </header>
  );
}
