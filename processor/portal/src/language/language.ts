import { changeLanguage, use } from "i18next";
import { initReactI18next } from "react-i18next";
import { en, type Words } from "./en.ts";
import { ptBR } from "./pt-BR.ts";

declare module "i18next" {
  interface CustomTypeOptions {
    resources: { translation: Words };
  }
}

/** The languages of the page, each by its own name. */
export const languages = { en: "English", "pt-BR": "Português" } as const;
export type Language = keyof typeof languages;

const key = "cais.language";

const isLanguage = (name: string | null): name is Language => name !== null && name in languages;

function preferred(): Language {
  const kept = localStorage.getItem(key);
  if (isLanguage(kept)) return kept;
  const known = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag === "en" || tag === "pt");
  return known === "pt" ? "pt-BR" : "en";
}

function show(language: Language) {
  document.documentElement.lang = language;
}

/** Starts the page in the language chosen last, else in the browser's. */
export async function startLanguage() {
  const language = preferred();
  await use(initReactI18next).init({
    lng: language,
    fallbackLng: "en",
    // Portuguese has a plural of its own for whole millions (CLDR `many`), worded as the other.
    resources: {
      en: { translation: en },
      "pt-BR": {
        translation: {
          ...ptBR,
          run: { ...ptBR.run, rows_many: ptBR.run.rows_other },
          open: { ...ptBR.open, titleRows_many: ptBR.open.titleRows_other },
          runs: { ...ptBR.runs, openRows_many: ptBR.runs.openRows_other },
          chart: { ...ptBR.chart, bars_many: ptBR.chart.bars_other },
        },
      },
    },
    // React escapes what it shows.
    interpolation: { escapeValue: false },
  });
  show(language);
}

/** Changes the language and remembers it in this browser. */
export async function chooseLanguage(language: Language) {
  localStorage.setItem(key, language);
  await changeLanguage(language);
  show(language);
}
