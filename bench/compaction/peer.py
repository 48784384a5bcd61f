#!/usr/bin/env python3
"""The compactor's work, done by an embedded engine: gzip NDJSON in, one zstd Parquet file out.

usage: peer.py chdb|duckdb|polars FOLDER FILE    FOLDER holds raw/

Every peer reads the line's columns with their types given, keeps one row of each event id, orders all rows by
(received_at, event_id), and adds `raw_object` (the path it has at hand) and a constant `ingested_at`. None of them keeps
a table: what is in it already is not looked up, nothing is committed, nothing synced to disk.

Settings were chosen by what is fastest here; whoever knows better ones should put them in.
"""

import json
import os
import sys
from pathlib import Path

COLUMNS = Path(__file__).resolve().parents[2] / "event/testdata/schema/columns.json"
LINE_COLUMNS = [column for column in json.loads(COLUMNS.read_text()) if column["origin"] == "line"]
INGESTED_AT = "2026-11-21 00:00:00"
THREADS = os.cpu_count()
ROW_GROUP = 122_880


def duckdb_source(folder):
    """The raw objects' lines as DuckDB reads them."""
    types = {"string": "varchar", "int": "integer", "bigint": "bigint", "double": "double", "boolean": "boolean",
             "timestamp": "timestamp"}
    columns = ", ".join(f"{column['name']}: '{types[column['type']]}'" for column in LINE_COLUMNS)
    return (f"read_json('{folder}/raw/*/*/*.gz', format = 'newline_delimited', compression = 'gzip',"
            f" columns = {{{columns}}}, filename = 'raw_object')")


def duckdb(folder, file):
    import duckdb

    # One group for each event id was faster than `distinct on`, and than numbering a window's rows.
    values = ", ".join(f"any_value({name}) as {name}" for name in names() if name != "event_id")
    duckdb.execute(f"set threads = {THREADS}")
    # The order is asked for below; keeping that of the input, too, would cost memory.
    duckdb.execute("set preserve_insertion_order = false")
    duckdb.execute(f"""
        copy (
            select event_id, {values}, any_value(raw_object) as raw_object, timestamp '{INGESTED_AT}' as ingested_at
            from {duckdb_source(folder)} group by event_id order by received_at, event_id
        ) to '{file}' (format parquet, compression zstd, row_group_size {ROW_GROUP})
        """)


def chdb(folder, file):
    import chdb

    types = {"string": "String", "int": "Int32", "bigint": "Int64", "double": "Float64", "boolean": "Bool",
             "timestamp": "DateTime64(6, \\'UTC\\')"}
    kinds = (types[column["type"]] if column["required"] else f"Nullable({types[column['type']]})" for column in LINE_COLUMNS)
    structure = ", ".join(f"{name} {kind}" for name, kind in zip(names(), kinds))
    # After the sort equal ids are neighbours: `limit 1 by` keeps the first of them. LowCardinality columns were slower;
    # so was parsing one file on several threads, since there are files for all of them.
    chdb.query(f"""
        insert into function file('{file}', 'Parquet')
        select {", ".join(names())}, _path as raw_object, toDateTime64('{INGESTED_AT}', 6, 'UTC') as ingested_at
        from file('{folder}/raw/*/*/*.gz', 'JSONEachRow', '{structure}', 'gzip')
        order by received_at, event_id limit 1 by event_id
        settings max_threads = {THREADS}, input_format_parallel_parsing = 0, date_time_input_format = 'best_effort',
            output_format_parquet_compression_method = 'zstd', output_format_parquet_row_group_size = {ROW_GROUP}
        """)


def polars(folder, file):
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    import polars as pl

    # Times are read as text and parsed: the reader takes none with a zone.
    types = {"string": pl.String, "int": pl.Int32, "bigint": pl.Int64, "double": pl.Float64, "boolean": pl.Boolean,
             "timestamp": pl.String}
    schema = {column["name"]: types[column["type"]] for column in LINE_COLUMNS}
    times = [pl.col(column["name"]).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us")
             for column in LINE_COLUMNS if column["type"] == "timestamp"]
    ingested_at = pl.lit(INGESTED_AT).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us").alias("ingested_at")
    # Sorting first, then keeping the first of each id, took a third less than the other way round.
    (
        pl.scan_ndjson(sorted(Path(folder).glob("raw/*/*/*.gz")), schema=schema, include_file_paths="raw_object")
        .with_columns(*times, ingested_at)
        .sort("received_at", "event_id")
        .unique("event_id", keep="first", maintain_order=True)
        .sink_parquet(file, compression="zstd", row_group_size=ROW_GROUP, engine="streaming")
    )


def names():
    return [column["name"] for column in LINE_COLUMNS]


PEERS = {"chdb": chdb, "duckdb": duckdb, "polars": polars}

if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in PEERS:
        sys.exit(__doc__)
    PEERS[sys.argv[1]](*sys.argv[2:])
