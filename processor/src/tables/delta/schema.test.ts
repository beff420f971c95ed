import { describe, expect, it } from "vitest";
import { SchemaChanged, UnsupportedTable } from "./actions.ts";
import { columnsOf, evolve, fieldsOf, newMetadata, tableColumns } from "./schema.ts";

const column = (name: string, type: string) => ({ name, type });

/** DuckDB's type of a column, the table's, that of its files, and Delta's. */
const types: [string, string, string, unknown][] = [
  ["BOOLEAN", "BOOLEAN", "BOOLEAN", "boolean"],
  ["TINYINT", "TINYINT", "TINYINT", "byte"],
  ["SMALLINT", "SMALLINT", "SMALLINT", "short"],
  ["INTEGER", "INTEGER", "INTEGER", "integer"],
  ["BIGINT", "BIGINT", "BIGINT", "long"],
  ["FLOAT", "FLOAT", "FLOAT", "float"],
  ["DOUBLE", "DOUBLE", "DOUBLE", "double"],
  ["DECIMAL(18,3)", "DECIMAL(18,3)", "DECIMAL(18,3)", "decimal(18,3)"],
  ["VARCHAR", "VARCHAR", "VARCHAR", "string"],
  ["BLOB", "BLOB", "BLOB", "binary"],
  ["DATE", "DATE", "DATE", "date"],
  ["TIMESTAMP", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "timestamp"],
  ["TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE", "timestamp"],
  ["UTINYINT", "SMALLINT", "SMALLINT", "short"],
  ["USMALLINT", "INTEGER", "INTEGER", "integer"],
  ["UINTEGER", "BIGINT", "BIGINT", "long"],
  ["UBIGINT", "DECIMAL(20,0)", "DECIMAL(20,0)", "decimal(20,0)"],
  ["HUGEINT", "DECIMAL(38,0)", "DECIMAL(38,0)", "decimal(38,0)"],
  ["TIMESTAMP_S", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "timestamp"],
  ["TIME", "VARCHAR", "VARCHAR", "string"],
  ["UUID", "VARCHAR", "VARCHAR", "string"],
  ["JSON", "VARCHAR", "VARCHAR", "string"],
  ["BIT", "VARCHAR", "VARCHAR", "string"],
  ["ENUM('a', 'it''s, (b)')", "VARCHAR", "VARCHAR", "string"],
  ["INTEGER[3]", "INTEGER[]", "INTEGER[]", { type: "array", elementType: "integer", containsNull: true }],
  [
    "MAP(VARCHAR, TIMESTAMP)",
    "MAP(VARCHAR, TIMESTAMP)",
    "MAP(VARCHAR, TIMESTAMP WITH TIME ZONE)",
    { type: "map", keyType: "string", valueType: "timestamp", valueContainsNull: true },
  ],
  [
    'STRUCT(a UUID, "b ""c" DECIMAL(4,1)[][])',
    'STRUCT("a" VARCHAR, "b ""c" DECIMAL(4,1)[][])',
    'STRUCT("a" VARCHAR, "b ""c" DECIMAL(4,1)[][])',
    {
      type: "struct",
      fields: [
        { name: "a", type: "string", nullable: true, metadata: {} },
        {
          name: 'b "c',
          type: {
            type: "array",
            elementType: { type: "array", elementType: "decimal(4,1)", containsNull: true },
            containsNull: true,
          },
          nullable: true,
          metadata: {},
        },
      ],
    },
  ],
];

describe("a column", () => {
  it.each(types)("of %s is %s", (type, inTable, inFile, delta) => {
    expect(tableColumns([column("x", type)])).toEqual([{ name: "x", inTable, inFile }]);
    const metadata = newMetadata([column("x", type), column("y", "DATE")], []);
    expect(fieldsOf(metadata)[0]).toEqual({ name: "x", type: delta, nullable: true, metadata: {} });
    expect(columnsOf(metadata, [column("x", inTable)])[0]).toEqual({ name: "x", type: inTable });
  });

  it.each([
    ["INTERVAL", "INTERVAL", "a number of days or seconds, such as epoch(x)"],
    ["TIMESTAMP_NS[]", "TIMESTAMP_NS", "x::TIMESTAMP, which keeps microseconds"],
    ["STRUCT(a TIME WITH TIME ZONE)", "TIME WITH TIME ZONE", "x::VARCHAR"],
    ["STRUCT(INTEGER, INTEGER)", "STRUCT(INTEGER, INTEGER)", "x::VARCHAR"],
    ["UNION(a INTEGER)", "UNION(a INTEGER)", "x::VARCHAR"],
    ["BIGNUM", "BIGNUM", "x::VARCHAR or x::DECIMAL(38,0)"],
  ])("of %s is refused with what to write instead", (type, refused, instead) => {
    expect(() => tableColumns([column("x", type)])).toThrow(
      new UnsupportedTable(`Column "x" is ${refused}, which Delta tables do not have; write ${instead} in the SQL.`),
    );
  });

  it("keeps its DuckDB type when read back only if it still means the same", () => {
    const metadata = newMetadata([column("x", "TIMESTAMP WITH TIME ZONE"), column("y", "DATE")], []);
    const types = (known: string) => columnsOf(metadata, [column("x", known)])[0]?.type;
    expect(types("TIMESTAMP WITH TIME ZONE")).toBe("TIMESTAMP WITH TIME ZONE");
    expect(types("DATE")).toBe("TIMESTAMP");
    expect(columnsOf(metadata)).toEqual([column("x", "TIMESTAMP"), column("y", "DATE")]);
  });

  it("of a type that only others write is refused", () => {
    const schemaString = '{"type":"struct","fields":[{"name":"v","type":"variant","nullable":true,"metadata":{}}]}';
    expect(() => columnsOf({ ...newMetadata([column("v", "DATE")], []), schemaString })).toThrow(
      'Column "v" is of the Delta type variant, which Cais does not read.',
    );
  });
});

describe("a table that grows", () => {
  const before = newMetadata([column("a", "BIGINT"), column("at", "TIMESTAMP")], ["a"]);

  it("gets new columns at its end, and keeps those that the rows lack", () => {
    expect(evolve(before, [column("at", "TIMESTAMP WITH TIME ZONE")], "t")).toBe(before);
    const after = evolve(before, [column("new", "VARCHAR"), column("a", "BIGINT")], "t");
    expect(columnsOf(after)).toEqual([column("a", "BIGINT"), column("at", "TIMESTAMP"), column("new", "VARCHAR")]);
    expect({ ...after, schemaString: "" }).toEqual({ ...before, schemaString: "" });
  });

  it("keeps what others said of its columns", () => {
    const field = { name: "a", type: "long", nullable: false, metadata: { comment: "ours" } };
    const schemaString = JSON.stringify({ type: "struct", fields: [field] });
    const after = evolve({ ...before, schemaString }, [column("a", "BIGINT"), column("b", "DATE")], "t");
    expect(fieldsOf(after)[0]).toEqual(field);
  });

  it("is refused another type, in a column or in a part of one", () => {
    expect(() => evolve(before, [column("a", "VARCHAR")], "t")).toThrow(
      new SchemaChanged(
        'Column "a" of table "t" is BIGINT and would become VARCHAR; cast it in the SQL to what it was, give it another name, or give the table another name to start it anew.',
      ),
    );
    const nested = newMetadata([column("s", "STRUCT(a INTEGER)")], []);
    expect(evolve(nested, [column("s", 'STRUCT("a" INTEGER)')], "t")).toBe(nested);
    expect(() => evolve(nested, [column("s", "STRUCT(a INTEGER, b INTEGER)")], "t")).toThrow(SchemaChanged);
    expect(() => evolve(nested, [column("s", "STRUCT(a BIGINT)")], "t")).toThrow(SchemaChanged);
  });

  it("has one column of a name, however it is written", () => {
    expect(() => evolve(before, [column("A", "DATE")], "t")).toThrow(
      'Columns "a" and "A" are one name to a Delta table; rename one in the SQL.',
    );
  });
});

it("partitions by columns that it has, of types that have a text", () => {
  const columns = [column("a", "BIGINT"), column("l", "BIGINT[]"), column("b", "BLOB")];
  expect(newMetadata(columns, ["a"]).partitionColumns).toEqual(["a"]);
  expect(() => newMetadata(columns, ["c"])).toThrow('The table is partitioned by "c", which is no column of it.');
  expect(() => newMetadata(columns, ["l"])).toThrow(
    'The table is partitioned by "l", which is BIGINT[]; cast it in the SQL.',
  );
  expect(() => newMetadata(columns, ["b"])).toThrow(
    'The table is partitioned by "b", which is BLOB; cast it in the SQL.',
  );
  expect(() => newMetadata([column("a", "DATE")], ["a"])).toThrow("The table is partitioned by all of its columns");
});
