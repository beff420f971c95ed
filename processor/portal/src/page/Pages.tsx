import { Group, Pagination, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useFormat } from "../language/format.ts";

interface PagesProps {
  /** Counted from 1. */
  page: number;
  /** Rows on a page. */
  size: number;
  total: number;
  onPage: (page: number) => void;
  label: string;
}

/** Which rows are shown of how many, and the way to the others. */
export function Pages({ page, size, total, onPage, label }: PagesProps) {
  const { t } = useTranslation();
  const { number } = useFormat();
  const pages = Math.ceil(total / size);
  const first = Math.min((page - 1) * size + 1, total);
  const last = Math.min(page * size, total);
  return (
    <Group component="nav" justify="space-between" gap="sm" aria-label={label}>
      <Text size="sm" c="dimmed" aria-live="polite">
        {t("tables.range", { first: number(first), last: number(last), total: number(total) })}
      </Text>
      {pages > 1 && (
        <Pagination
          size="sm"
          siblings={0}
          total={pages}
          value={page}
          onChange={onPage}
          getControlProps={(control) => ({ "aria-label": t(control === "previous" ? "page.previous" : "page.next") })}
          getItemProps={(item) => ({ "aria-label": t("page.number", { number: number(item) }) })}
        />
      )}
    </Group>
  );
}
