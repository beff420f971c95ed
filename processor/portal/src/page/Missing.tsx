import { Button, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { href } from "../route/route.ts";
import { Heading } from "./Heading.tsx";

/** Shown for an address that means nothing. */
export function Missing() {
  const { t } = useTranslation();
  return (
    <Stack align="flex-start">
      <Heading>{t("missing.title")}</Heading>
      <Text c="dimmed">{t("missing.detail")}</Text>
      <Button component="a" href={href({ view: "send" })}>
        {t("missing.home")}
      </Button>
    </Stack>
  );
}
