import { Paper, Table } from "@mantine/core";
import type { TableRows } from "@cais/spec/api.ts";
import { useTranslation } from "react-i18next";
import { useFormat } from "../language/format.ts";
import { cellText } from "./cell.ts";
import classes from "./Rows.module.css";

/** One page of a table's rows. */
export function Rows({ rows }: { rows: TableRows }) {
  const { t } = useTranslation();
  const format = useFormat();
  const caption = t("tables.caption", { table: rows.name });
  const isNumber = (name: string) => rows.data.some((row) => typeof row[name] === "number");
  const columns = rows.columns.map(({ name, type }) => ({ name, type, align: isNumber(name) ? classes.number : "" }));
  return (
    <Paper withBorder className={classes.scroll ?? ""} role="region" tabIndex={0} aria-label={caption}>
      <Table verticalSpacing={7} horizontalSpacing="md" highlightOnHover aria-label={caption}>
        <Table.Thead>
          <Table.Tr>
            {columns.map(({ name, align }) => (
              <Table.Th key={name} className={align ?? ""}>
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.data.map((row, index) => (
            <Table.Tr key={rows.offset + index}>
              {columns.map(({ name, type, align }) => (
                <Table.Td key={name} className={align ?? ""}>
                  {cellText(row[name], type, format, t("tables.yes"), t("tables.no"))}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}
