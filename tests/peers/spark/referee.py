"""Answers questions about Delta tables by Spark with delta-spark, and writes on in them: one JSON object a line in, one out.

    referee.py JARS_FOLDER [--prepare]

The jars of delta-spark are in JARS_FOLDER; --prepare brings them there by Spark's own resolver, from Maven Central, and ends.
What each question is stands beside its function in ../delta/referee.py, which answers the same.
"""

import json
import math
import os
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

# Times are asked for in UTC and come as plain datetimes in the process's own zone.
os.environ["TZ"] = "UTC"

from delta.tables import DeltaTable
from pyspark.sql import Row, SparkSession
from pyspark.sql.functions import col

folder = Path(sys.argv[1])
jars = sorted((folder / "jars").glob("*.jar"))
builder = (
    SparkSession.builder.master("local[2]")
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.databricks.delta.snapshotPartitions", "1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.memory", "1g")
    .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    # Little is done often here: what the second compiler gains it does not live to see.
    .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1")
)
if jars:
    builder = builder.config("spark.jars", ",".join(str(jar) for jar in jars))
else:
    builder = builder.config("spark.jars.packages", "io.delta:delta-spark_2.13:4.0.0").config(
        "spark.jars.ivy", str(folder)
    )
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
if "--prepare" in sys.argv:
    sys.exit(0)


def plain(value):
    """A value as JSON: whole numbers, decimals, dates and times (UTC) as text, so that none loses a digit."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, Decimal)):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, Row):
        return {key: plain(item) for key, item in value.asDict().items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        # As delta-rs gives a map.
        return [[plain(key), plain(item)] for key, item in value.items()]
    raise TypeError(f"a {type(value).__name__} has no place in an answer")


def detail(location):
    return DeltaTable.forPath(spark, location).detail().collect()[0]


def version_of(location):
    return DeltaTable.forPath(spark, location).history(1).collect()[0]["version"]


def read(location, version=None, time=None, where=None):
    reader = spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    if time is not None:
        reader = reader.option("timestampAsOf", time)
    frame = reader.load(location)
    rows = frame if where is None else frame.where(where)
    return {
        "version": version_of(location) if version is None else version,
        "rows": [plain(row) for row in rows.collect()],
        "fields": json.loads(frame.schema.json())["fields"],
        "partitionBy": detail(location)["partitionColumns"],
        "files": len(frame.inputFiles()),
    }


def history(location):
    entries = DeltaTable.forPath(spark, location).history().collect()
    return [{"version": entry["version"], "operation": entry["operation"]} for entry in reversed(entries)]


def append(location, columns, rows):
    known = {field.name: field.dataType for field in spark.read.format("delta").load(location).schema}
    texts = spark.createDataFrame([tuple(row) for row in rows], ", ".join(f"c{n} string" for n in range(len(columns))))
    typed = texts.select([col(f"c{n}").cast(known[name]).alias(name) for n, name in enumerate(columns)])
    typed.write.format("delta").mode("append").option("mergeSchema", "true").save(location)
    return version_of(location)


def delete(location, where):
    DeltaTable.forPath(spark, location).delete(where)
    return version_of(location)


def optimize(location):
    DeltaTable.forPath(spark, location).optimize().executeCompaction()
    return version_of(location)


def checkpoint(location):
    # delta-spark has no call for it in Python.
    log = spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, location)
    log.checkpoint()
    return version_of(location)


def forget(location):
    property = "'delta.deletedFileRetentionDuration' = 'interval 0 seconds'"
    spark.sql(f"ALTER TABLE delta.`{location}` SET TBLPROPERTIES ({property})")
    return version_of(location)


questions = {function.__name__: function for function in (read, history, append, delete, optimize, checkpoint, forget)}
for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = {"answer": questions[asked.pop("question")](**asked)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
