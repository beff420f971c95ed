import { Anchor, Group } from "@mantine/core";
import { Icon } from "../icon/Icon.tsx";
import { href, type Route } from "../route/route.ts";

/** The way up from one thing to the list that it is in. */
export function Back({ to, children }: { to: Route; children: string }) {
  return (
    <Anchor href={href(to)} size="sm" w="fit-content">
      <Group component="span" gap={6} display="inline-flex">
        <Icon name="back" size={15} />
        {children}
      </Group>
    </Anchor>
  );
}
