"""Holds what Cais wrote against its source, with Python's own csv and with pyarrow: none of our code, none of DuckDB's.

    referee.py SOURCE.csv CONTRACT.json TABLE_FOLDER TREATED.csv GOLD_FOLDER

CONTRACT.json is the list of columns in order: [{"name": …, "from": …, "type": …}]. Prints one JSON object of what it found.
"""

import csv
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow.parquet as parquet

source, contract, table, treated, gold = sys.argv[1:]
columns = json.loads(contract)
names = [column["name"] for column in columns]
numbers = {column["name"] for column in columns if column["type"] in ("double", "integer")}
measures = names[2:]


def value(name, text):
    """A cell as a plain value, so that '0.40' and 0.4 are the same and '' is no value."""
    if text in ("", None):
        return None
    return float(text) if name in numbers else str(text)


def rows_of_csv(path, headers):
    with open(path, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield tuple(value(name, row[header]) for name, header in zip(names, headers))


def rows_of_parquet(folder):
    files = sorted(Path(folder).glob("*.parquet"))
    for file in files:
        # Not as a dataset: a file must be readable alone, whatever its folder is called.
        for row in parquet.ParquetFile(file).read(columns=names).to_pylist():
            yield tuple(value(name, row[name]) for name in names)


read = list(rows_of_csv(source, [column.get("from", column["name"]) for column in columns]))
expected = Counter(row for row in read if any(cell is not None for cell in row[2:]))
in_table = Counter(rows_of_parquet(table))
in_csv = Counter(rows_of_csv(treated, names))

rain = defaultdict(float)
for row in expected.elements():
    if row[2] is not None:
        rain[row[0]] += row[2]
gold_rows = [row for file in sorted(Path(gold).glob("*.parquet")) for row in parquet.ParquetFile(file).read().to_pylist()]
day, amount = list(gold_rows[0])[:2]

print(
    json.dumps(
        {
            "read": len(read),
            "clean": expected.total(),
            "table": in_table.total(),
            "tableDiffers": ((expected - in_table) + (in_table - expected)).total(),
            "csv": in_csv.total(),
            "csvDiffers": ((expected - in_csv) + (in_csv - expected)).total(),
            "days": len(gold_rows),
            "daysDiffer": sum(
                1 for row in gold_rows if abs((row[amount] or 0) - rain.get(str(row[day]), 0)) > 1e-6
            )
            + len(set(rain) - {str(row[day]) for row in gold_rows}),
        }
    )
)
