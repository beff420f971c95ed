"""Polars, streaming: the same cleaning, with the reason of every rejected row. Usage: clean_polars.py FILE FOLDER"""

import json
import sys

import polars as pl

COLUMNS = ["id", "data", "hora", "estacao", "temperatura", "umidade", "chuva", "vento", "observacao"]
NUMBERS = {"id": pl.Int64, "umidade": pl.Int64, "temperatura": pl.Float64, "chuva": pl.Float64, "vento": pl.Float64}
RANGES = {"umidade": (0, 100), "temperatura": (-40, 60), "chuva": (0, None), "vento": (0, None)}

file, folder = sys.argv[1:3]
raw = pl.scan_csv(
    file,
    separator=";",
    schema={column: pl.String for column in COLUMNS},
    # A row with too many cells loses them without a word; one with too few gets empty ones.
    truncate_ragged_lines=True,
)
text = {column: pl.col(column).str.strip_chars() for column in COLUMNS}
empty = {column: text[column].is_null() | text[column].is_in(["", "-9999"]) for column in COLUMNS}
values, reasons = {}, []
for column, kind in NUMBERS.items():
    source = text[column].str.replace(",", ".", literal=True)
    values[column] = pl.when(empty[column]).then(None).otherwise(source).cast(kind, strict=False)
    reasons.append(pl.when(values[column].is_null() & ~empty[column]).then(pl.lit(f"{column}: type")))
    low, high = RANGES.get(column, (None, None))
    if low is not None:
        reasons.append(pl.when(values[column] < low).then(pl.lit(f"{column}: min")))
    if high is not None:
        reasons.append(pl.when(values[column] > high).then(pl.lit(f"{column}: max")))
values["data"] = text["data"].str.to_date("%Y-%m-%d", strict=False)
reasons.append(pl.when(values["data"].is_null()).then(pl.lit("data: type")))
for column in ("id", "estacao"):
    reasons.append(pl.when(empty[column]).then(pl.lit(f"{column}: required")))
for column in ("hora", "estacao", "observacao"):
    values[column] = pl.col(column)
checked = raw.with_columns(pl.concat_str(reasons, separator="; ", ignore_nulls=True).alias("reasons"))

clean = checked.filter(pl.col("reasons") == "").select([values[column].alias(column) for column in COLUMNS])
clean.sink_parquet(f"{folder}/clean.parquet", compression="zstd")
checked.filter(pl.col("reasons") != "").sink_parquet(f"{folder}/rejected.parquet", compression="zstd")
marked = [
    pl.when(pl.col(column).str.contains(r"^[=+\-@\t\r]")).then("'" + pl.col(column)).otherwise(pl.col(column)).alias(column)
    for column in ("hora", "estacao", "observacao")
]
pl.scan_parquet(f"{folder}/clean.parquet").with_columns(marked).sink_csv(f"{folder}/clean.csv", line_terminator="\r\n")
count = lambda name: pl.scan_parquet(f"{folder}/{name}.parquet").select(pl.len()).collect().item()
print(json.dumps({"clean": count("clean"), "rejected": count("rejected")}))
