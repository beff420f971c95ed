import { zipOf } from "./zip-for-tests.ts";

/** The parts of a small workbook: rows of its first sheet, and what they refer to. */
export interface Book {
  sheet: string;
  strings?: string;
  workbook?: string;
  styles?: string;
  more?: Record<string, string>;
}

const styles = `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm"/><numFmt numFmtId="165" formatCode="[$R$] 0.00 &quot;dys&quot;"/></numFmts>
  <cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs></styleSheet>`;
export const plainBook = `<workbook xmlns:r="x"><workbookPr/><sheets><sheet name="Sales" sheetId="1" r:id="rId1"/><sheet name="Other" sheetId="2" r:id="rId9"/></sheets></workbook>`;

/** Writes a workbook with this sheet. */
export const bookOf =
  ({ sheet, strings = "", workbook = plainBook, styles: style = styles, more = {} }: Book) =>
  (path: string) => {
    const type = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const parts: Record<string, string> = {
      "[Content_Types].xml": "<Types/>",
      "xl/workbook.xml": workbook,
      "xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="${type}/worksheet" Target="worksheets/sheet1.xml"/>
      <Relationship Id="rId2" Type="${type}/sharedStrings" Target="/xl/sharedStrings.xml"/><Relationship Id="rId3" Type="${type}/styles" Target="styles.xml"/>
      <Relationship Id="rId9" Type="${type}/worksheet" Target="../xl/worksheets/other.xml"/></Relationships>`,
      "xl/worksheets/sheet1.xml": `<worksheet><sheetData>${sheet}</sheetData></worksheet>`,
      "xl/sharedStrings.xml": `<sst>${strings}</sst>`,
      "xl/styles.xml": style,
      ...more,
    };
    return zipOf(parts)(path);
  };
