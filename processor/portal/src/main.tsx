import "./page/mantine.css";
import "./page/page.css";
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/queries.ts";
import { App } from "./App.tsx";
import { startLanguage } from "./language/language.ts";
import { theme, variables } from "./page/theme.ts";

const root = document.querySelector("#root");
if (root === null) throw new Error("index.html has no #root: build the page again.");

await startLanguage();
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <QueryClientProvider client={queryClient}>
        <App />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
