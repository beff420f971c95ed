import { createInstance } from "i18next";
import { expect, it } from "vitest";
import { en } from "../language/en.ts";
import { ptBR } from "../language/pt-BR.ts";
import { stepName } from "./step-name.ts";

it.each([
  ["merge/trees", "Merge into trees", "Mesclar em trees"],
  ["tables/trees", "Build trees", "Montar trees"],
  ["sinks/csv/trees", "Deliver trees (CSV file)", "Entregar trees (Arquivo CSV)"],
  ["sinks/bi/trees", "Queue trees (Power BI)", "Pôr trees na fila (Power BI)"],
  ["sinks/database/trees", "Queue trees (Database)", "Pôr trees na fila (Banco de dados)"],
  ["of/days/to/come", "of/days/to/come", "of/days/to/come"],
])("says %s in both languages", async (name, english, portuguese) => {
  const words = createInstance();
  await words.init({ resources: { en: { translation: en }, "pt-BR": { translation: ptBR } } });
  expect(stepName(name, words.getFixedT("en"))).toBe(english);
  expect(stepName(name, words.getFixedT("pt-BR"))).toBe(portuguese);
});
