/**
 * The cells of one CSV row without its end (RFC 4180). A quote in the middle of a plain cell is taken as it stands, and
 * so is what follows a closing quote.
 */
export function parseRecord(row: string, delimiter = ","): string[] {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    let cell: string;
    if (row[at] === '"') {
      let end = at + 1;
      while (end < row.length && (row[end] !== '"' || row[end + 1] === '"')) end += row[end] === '"' ? 2 : 1;
      cell = row.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
    } else {
      const next = row.indexOf(delimiter, at);
      const end = next === -1 ? row.length : next;
      cell = row.slice(at, end);
      at = end;
    }
    cells.push(cell);
    if (at >= row.length) return cells;
    at += 1;
  }
}
