import { Button, Paper, PasswordInput, Stack, Text } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { queryClient } from "../api/queries.ts";
import { Icon } from "../icon/Icon.tsx";
import { Heading } from "../page/Heading.tsx";
import { storeToken, wasRefused } from "./token.ts";

/** Asks for the token that the API wants. */
export function TokenPrompt() {
  const { t } = useTranslation();
  const [token, setToken] = useState("");
  const [error, setError] = useState<"refused" | "empty" | null>(wasRefused() ? "refused" : null);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const given = token.trim();
    if (given === "") return setError("empty");
    storeToken(given);
    void queryClient.resetQueries();
  };

  return (
    <Paper withBorder p="xl" maw={480} mx="auto" mt="xl">
      <form onSubmit={submit}>
        <Stack>
          <Icon name="key" size={32} />
          <Heading>{t("token.title")}</Heading>
          <Text c="dimmed">{t("token.detail")}</Text>
          <PasswordInput
            label={t("token.label")}
            value={token}
            onChange={({ currentTarget }) => setToken(currentTarget.value)}
            error={error === null ? null : t(`token.${error}`)}
            autoComplete="off"
            data-autofocus
            autoFocus
          />
          <Button type="submit">{t("token.enter")}</Button>
        </Stack>
      </form>
    </Paper>
  );
}
