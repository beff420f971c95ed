"""Answers questions about Delta tables by delta-rs, and writes on in them: one JSON object a line in, one a line out.

None of our code and none of DuckDB's is in it. What each question is stands beside its function.
"""

import json
import math
import random
import sys
import time
from datetime import date, datetime, timezone
from decimal import Decimal

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder, write_deltalake


def plain(value):
    """A value as JSON: whole numbers, decimals, dates and times (UTC) as text, so that none loses a digit."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, Decimal)):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            value = value.astimezone(timezone.utc)
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        # A map comes as a list of pairs.
        return [plain(list(item) if isinstance(item, tuple) else item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    raise TypeError(f"a {type(value).__name__} has no place in an answer")


def rows_of(table):
    return [plain(row) for row in pa.table(table).to_pylist()]


def read(location, version=None, time=None, where=None):
    """A table's rows, columns and partition columns: now, of a version or of a time; `where` prunes by statistics."""
    table = DeltaTable(location, version=version)
    if time is not None:
        table.load_as_version(time)
    if where is None:
        rows = table.to_pyarrow_table()
    else:
        rows = QueryBuilder().register("it", table).execute(f"SELECT * FROM it WHERE {where}").read_all()
    return {
        "version": table.version(),
        "rows": rows_of(rows),
        "fields": json.loads(table.schema().to_json())["fields"],
        "partitionBy": table.metadata().partition_columns,
        "files": len(table.file_uris()),
    }


def history(location):
    """The versions that the log tells of, oldest first, with what each was."""
    return [
        {"version": entry["version"], "operation": entry["operation"]}
        for entry in reversed(DeltaTable(location).history())
    ]


def append(location, columns, rows):
    """Adds rows, given as lists of texts that are cast to the table's own types."""
    schema = pa.schema(DeltaTable(location).schema())
    types = {field.name: pa.field(field).type for field in schema}
    arrays = [
        pa.array([row[n] for row in rows], pa.string()).cast(types[name]) for n, name in enumerate(columns)
    ]
    write_deltalake(location, pa.table(arrays, names=columns), mode="append", schema_mode="merge")
    return DeltaTable(location).version()


def delete(location, where):
    table = DeltaTable(location)
    table.delete(where)
    return table.version()


def optimize(location):
    table = DeltaTable(location)
    table.optimize.compact()
    return table.version()


def checkpoint(location):
    table = DeltaTable(location)
    table.create_checkpoint()
    return table.version()


def forget(location):
    """Has removed files kept for no time at all."""
    table = DeltaTable(location)
    table.alter.set_table_properties({"delta.deletedFileRetentionDuration": "interval 0 seconds"})
    return table.version()


def race(location, writer, commits, seed):
    """Appends a row a commit, as fast as it can but for short waits by the seed."""
    chance = random.Random(seed)
    for n in range(commits):
        time.sleep(chance.random() * 0.01)
        rows = pa.table({"writer": [writer], "n": pa.array([n], pa.int64())})
        write_deltalake(location, rows, mode="append")
    return commits


questions = {
    function.__name__: function for function in (read, history, append, delete, optimize, checkpoint, forget, race)
}
for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = {"answer": questions[asked.pop("question")](**asked)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
