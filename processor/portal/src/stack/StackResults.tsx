import { Anchor, Group, Text } from "@mantine/core";
import type { StackSummary } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import { Icon } from "../icon/Icon.tsx";
import { href } from "../route/route.ts";

/** The tables that a file of this stack ends in. */
export function StackResults({ stack }: { stack: StackSummary }) {
  const { t } = useTranslation();
  return (
    <Group gap="xs" align="center">
      <Text size="sm" c="dimmed">
        {t("send.results")}:
      </Text>
      {stack.tables.map(({ name, layer }) => (
        <Anchor
          key={name}
          size="sm"
          underline="always"
          href={href({ view: "table", stack: stack.name, table: name, page: 1 })}
        >
          <Group component="span" gap={5} wrap="nowrap" display="inline-flex">
            <Icon name={layer === "gold" ? "chart" : "table"} size={15} />
            {name} ({t(`tables.${layer}`)})
          </Group>
        </Anchor>
      ))}
    </Group>
  );
}
