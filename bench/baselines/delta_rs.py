"""The same by delta-rs: `delta_rs.py commits FOLDER COUNT`, `delta_rs.py load|merge FILE.csv FOLDER`.

Prints one JSON object. A commit adds one file that is named but never read, so that it is the log alone which is measured.
"""

import json
import sys
import time

import pyarrow as pa
import pyarrow.csv as csv
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import AddAction

asked, *args = sys.argv[1:]
schema = pa.schema([("id", pa.int64()), ("day", pa.date32()), ("station", pa.string()), ("value", pa.float64())])


def commits(folder, count):
    table = DeltaTable.create(folder, schema=schema)
    took = []
    before = time.process_time()
    for n in range(int(count)):
        started = time.perf_counter()
        stats = json.dumps({"numRecords": 1})
        add = AddAction(f"part-{n}.parquet", 1000, {}, int(time.time() * 1000), True, stats)
        table.create_write_transaction([add], "append", table.schema())
        table.update_incremental()
        took.append((time.perf_counter() - started) * 1000)
    return {"took": took, "cpu": time.process_time() - before}


def rows_of(file):
    return csv.read_csv(file, convert_options=csv.ConvertOptions(column_types=schema))


def load(file, folder):
    write_deltalake(folder, rows_of(file))
    return {"files": len(DeltaTable(folder).file_uris())}


def merge(file, folder):
    merger = DeltaTable(folder).merge(rows_of(file), "t.id = s.id", source_alias="s", target_alias="t")
    told = merger.when_matched_update_all().when_not_matched_insert_all().execute()
    return {key: told[key] for key in ("num_target_rows_updated", "num_target_files_added", "num_target_files_removed")}


print(json.dumps({"commits": commits, "load": load, "merge": merge}[asked](*args)))
