import { Button, Paper, Skeleton, Table, Text } from "@mantine/core";
import type { TableVersion } from "@cais/spec/table-versions.ts";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { versionsQuery } from "../api/queries.ts";
import { type Format, useFormat } from "../language/format.ts";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import classes from "./Schema.module.css";

/** A table's versions, newest first, to be unfolded; they are asked for then. */
export function Versions({ stack, table }: { stack: string; table: string }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery({
    ...versionsQuery(stack, table),
    enabled: open,
  });
  const versions = data?.pages.flatMap((page) => page.versions);
  return (
    <Paper
      withBorder
      component="details"
      className={classes.fold ?? ""}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>{t("versions.title")}</summary>
      {error !== null && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      {open && data === undefined && error === null && <Skeleton height={90} aria-label={t("loading")} />}
      {versions?.length === 0 && <Text c="dimmed">{t("versions.none")}</Text>}
      {versions !== undefined && versions.length > 0 && <List versions={versions} />}
      {hasNextPage && (
        <Button
          mt="sm"
          variant="default"
          size="compact-md"
          loading={isFetchingNextPage}
          onClick={() => void fetchNextPage()}
        >
          {t("versions.more")}
        </Button>
      )}
    </Paper>
  );
}

const signed = (rows: number | null, sign: string, { number }: Format) =>
  rows === null ? "?" : rows === 0 ? "–" : `${sign}${number(rows)}`;

function List({ versions }: { versions: TableVersion[] }) {
  const { t } = useTranslation();
  const format = useFormat();
  const { number, bytes, exact, ago } = format;
  const label = t("versions.title");
  return (
    <div className={classes.scroll} role="region" tabIndex={0} aria-label={label}>
      <Table verticalSpacing={6} horizontalSpacing="md" aria-label={label}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th className={classes.number ?? ""}>{t("versions.version")}</Table.Th>
            <Table.Th>{t("versions.when")}</Table.Th>
            <Table.Th>{t("versions.operation")}</Table.Th>
            <Table.Th className={classes.number ?? ""}>{t("versions.added")}</Table.Th>
            <Table.Th className={classes.number ?? ""}>{t("versions.removed")}</Table.Th>
            <Table.Th className={classes.number ?? ""}>{t("versions.rows")}</Table.Th>
            <Table.Th className={classes.number ?? ""}>{t("versions.size")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {versions.map(({ version, at, operation, program, added, removed, rows, bytes: size }) => (
            <Table.Tr key={version}>
              <Table.Td className={classes.number ?? ""}>{number(version)}</Table.Td>
              <Table.Td>
                <time dateTime={at} title={exact(at)}>
                  {ago(at)}
                </time>
              </Table.Td>
              <Table.Td className={classes.type ?? ""} title={program ?? undefined}>
                {operation ?? "?"}
              </Table.Td>
              <Table.Td className={classes.number ?? ""}>{signed(added, "+", format)}</Table.Td>
              <Table.Td className={classes.number ?? ""}>{signed(removed, "−", format)}</Table.Td>
              <Table.Td className={classes.number ?? ""}>{rows === null ? "?" : number(rows)}</Table.Td>
              <Table.Td className={classes.number ?? ""}>{bytes(size)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
