import { Radio, SimpleGrid, Text } from "@mantine/core";
import type { StackSummary } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import { go } from "../route/route.ts";
import classes from "./StackChoice.module.css";

interface StackChoiceProps {
  stacks: StackSummary[];
  /** The name of the stack chosen, or null. */
  chosen: string | null;
}

/** The stacks, one to be chosen. A choice changes the address, so that it can be linked. */
export function StackChoice({ stacks, chosen }: StackChoiceProps) {
  const { t } = useTranslation();
  return (
    <Radio.Group
      value={chosen}
      onChange={(stack) => go({ view: "send", stack })}
      label={t("send.choose")}
      labelProps={{ mb: 6 }}
    >
      <SimpleGrid cols={{ base: 1, sm: 2, md: stacks.length > 2 ? 3 : 2 }} spacing="sm">
        {stacks.map(({ name, description, owner }) => (
          <label key={name} className={classes.card} data-chosen={name === chosen || undefined}>
            <Radio value={name} aria-label={name} mt={2} />
            <span>
              <Text component="span" display="block" fw={600}>
                {name}
              </Text>
              {description !== null && (
                <Text component="span" display="block" size="sm">
                  {description}
                </Text>
              )}
              <Text component="span" display="block" size="sm" c="dimmed">
                {t("send.owner", { owner })}
              </Text>
            </span>
          </label>
        ))}
      </SimpleGrid>
    </Radio.Group>
  );
}
