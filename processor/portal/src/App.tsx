import { Container } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Announcer } from "./announce/announce.tsx";
import classes from "./App.module.css";
import { Header } from "./page/Header.tsx";
import { Missing } from "./page/Missing.tsx";
import { useRoute } from "./route/route.ts";
import { Run } from "./run/Run.tsx";
import { Runs } from "./run/Runs.tsx";
import { Send } from "./stack/Send.tsx";
import { Table } from "./table/Table.tsx";
import { Tables } from "./table/Tables.tsx";
import { TokenPrompt } from "./token/TokenPrompt.tsx";
import { useTokenAsked } from "./token/token.ts";

function View() {
  const route = useRoute();
  switch (route.view) {
    case "send":
      return <Send chosen={route.stack} />;
    case "runs":
      return <Runs stack={route.stack} state={route.state} />;
    case "run":
      return <Run key={route.id} id={route.id} />;
    case "tables":
      return <Tables />;
    case "table":
      return <Table key={`${route.stack}/${route.table}`} stack={route.stack} table={route.table} page={route.page} />;
    case "missing":
      return <Missing />;
  }
}

/** The whole page. */
export function App() {
  const { t } = useTranslation();
  const tokenAsked = useTokenAsked();
  return (
    <>
      <button type="button" className={classes.skip} onClick={() => document.querySelector("main")?.focus()}>
        {t("nav.skip")}
      </button>
      <Header />
      <Container component="main" size={1120} px={20} py="xl" tabIndex={-1} className={classes.main ?? ""}>
        {tokenAsked ? <TokenPrompt /> : <View />}
      </Container>
      <Announcer />
    </>
  );
}
