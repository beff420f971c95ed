import { Paper, Table } from "@mantine/core";
import type { TableColumn } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import classes from "./Schema.module.css";

/** A table's columns and their types, to be unfolded. */
export function Schema({ columns }: { columns: readonly TableColumn[] }) {
  const { t } = useTranslation();
  const { length } = columns;
  return (
    <Paper withBorder component="details" className={classes.fold ?? ""}>
      <summary>{t("tables.columns", { count: length })}</summary>
      <Table verticalSpacing={6} horizontalSpacing="md" aria-label={t("tables.columns", { count: length })}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t("tables.column")}</Table.Th>
            <Table.Th>{t("tables.type")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {columns.map(({ name, type }) => (
            <Table.Tr key={name}>
              <Table.Td>{name}</Table.Td>
              <Table.Td className={classes.type ?? ""}>{type}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}
