import { Paper, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Icon, type IconName } from "../icon/Icon.tsx";
import classes from "./Empty.module.css";

interface EmptyProps {
  icon: IconName;
  title: string;
  detail: string;
  /** What to do about it. */
  children?: ReactNode;
}

/** Says that there is nothing here yet, and how something gets here. */
export function Empty({ icon, title, detail, children }: EmptyProps) {
  return (
    <Paper withBorder p="xl">
      <Stack align="center" gap="xs" py="lg">
        <span className={classes.icon}>
          <Icon name={icon} size={26} />
        </span>
        <Text fw={600} size="lg" ta="center">
          {title}
        </Text>
        <Text c="dimmed" ta="center" maw={440} mb="sm">
          {detail}
        </Text>
        {children}
      </Stack>
    </Paper>
  );
}
