import { MAX_COLUMNS, MAX_ROW_BYTES, Unreadable } from "../contract/records.ts";
import type { Cell, KeyedRows } from "./keyed.ts";
import { TOO_LONG, TOO_WIDE } from "./limits.ts";
import { readXmlEvents } from "./xml-stream.ts";

/**
 * Reads the rows of an XML document: its elements called `row`, else the root's children; the first is row 1. An
 * element inside a row is a cell by its name, deeper ones by their path (`address/city`), attributes with an @ (`@id`,
 * `address/@kind`). One that comes several times is a JSON array of its texts; an empty one has no value.
 */
export async function readXml(
  content: AsyncIterable<Buffer>,
  rowName: string | undefined,
  rows: KeyedRows,
): Promise<void> {
  let depth = 0;
  let number = 0;
  let row: XmlRow | undefined;
  await readXmlEvents(content, "The XML document", {
    open(name, attributes) {
      depth += 1;
      if (row !== undefined) row.open(name, attributes);
      else if (rowName === undefined ? depth === 2 : name === rowName) {
        number += 1;
        row = new XmlRow(name, attributes);
      }
    },
    text(text) {
      row?.text(text);
    },
    close() {
      depth -= 1;
      if (row === undefined || !row.close()) return;
      if (row.problem === undefined) rows.row(number, row.cells(), row.source());
      else rows.refuse(number, row.problem, row.source());
      row = undefined;
    },
  });
  if (number === 0)
    throw new Unreadable(
      rowName === undefined
        ? "The XML document has no rows: its root has no elements."
        : `The XML document has no element "${rowName}", which is what the stack's read.xml.row names.`,
    );
}

/** An element of a row that is open. */
interface Open {
  path: string;
  text: string;
  hasElements: boolean;
}

/** The row that is being read. */
class XmlRow {
  problem: string | undefined;
  readonly #values = new Map<string, string[]>();
  readonly #open: Open[];
  readonly #name: string;
  #bytes = 0;

  constructor(name: string, attributes: Record<string, string>) {
    this.#name = name;
    this.#open = [{ path: "", text: "", hasElements: false }];
    this.#attributes("", attributes);
  }

  open(name: string, attributes: Record<string, string>): void {
    const parent = this.#open.at(-1);
    if (parent !== undefined) parent.hasElements = true;
    const path = parent === undefined || parent.path === "" ? name : `${parent.path}/${name}`;
    this.#open.push({ path, text: "", hasElements: false });
    this.#attributes(`${path}/`, attributes);
  }

  text(text: string): void {
    this.#count(text);
    const open = this.#open.at(-1);
    if (this.problem === undefined && open !== undefined) open.text += text;
  }

  /** Closes an element; true if it was the row itself. */
  close(): boolean {
    const { path, text, hasElements } = this.#open.pop() ?? { path: "", text: "", hasElements: true };
    const isBlank = text.trim() === "";
    if (path === "") {
      if (!isBlank) this.#add("#text", text);
      return true;
    }
    if (!hasElements || !isBlank) this.#add(path, text);
    return false;
  }

  cells(): Map<string, Cell> {
    return new Map(
      [...this.#values].map(([path, texts]) => {
        const [text = ""] = texts;
        return [path, texts.length > 1 ? JSON.stringify(texts) : text === "" ? null : text];
      }),
    );
  }

  /** The row as XML again: what was read of it, one element for each cell. */
  source(): string {
    const cells = [...this.#values].flatMap(([path, texts]) => texts.map((text) => [path, text] as const));
    const attributes = cells.flatMap(([path, text]) =>
      path.startsWith("@") ? [` ${path.slice(1)}="${escaped(text)}"`] : [],
    );
    const elements = cells.flatMap(([path, text]) => {
      if (path.startsWith("@")) return [];
      if (path === "#text") return [escaped(text)];
      return [
        path
          .split("/")
          .reduceRight(
            (inside, name) => (name.startsWith("@") ? inside : `<${name}>${inside}</${name}>`),
            escaped(text),
          ),
      ];
    });
    return `<${this.#name}${attributes.join("")}>${elements.join("")}</${this.#name}>`;
  }

  #attributes(prefix: string, attributes: Record<string, string>): void {
    for (const [name, value] of Object.entries(attributes)) {
      this.#count(value);
      if (!name.startsWith("xmlns")) this.#add(`${prefix}@${name}`, value);
    }
  }

  #add(path: string, text: string): void {
    if (this.problem !== undefined) return;
    const key = path.trim().normalize("NFC");
    this.#count(key);
    const texts = this.#values.get(key);
    if (texts === undefined) this.#values.set(key, [text]);
    else texts.push(text);
    if (this.#values.size > MAX_COLUMNS) this.problem = TOO_WIDE;
  }

  #count(text: string): void {
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes > MAX_ROW_BYTES) this.problem ??= TOO_LONG;
  }
}

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
