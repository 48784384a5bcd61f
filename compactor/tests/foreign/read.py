#!/usr/bin/env python3
"""Reads a lake with readers that are not ours, and checks what they see.

usage: read.py DATA_DIR             the lake in a folder (needs pyiceberg[sql-sqlite,pyarrow], duckdb and polars)
       read.py BUCKET DATABASE      the lake on S3 and Glue, where the SDK's variables say (needs pyiceberg[glue], too)

Every reader reads every snapshot. Exit status 1 if one fails, counts other rows than the snapshot's summary says or an
event twice, if a file that a snapshot names is missing, or a snapshot of rewritten files has other rows than its parent.
"""

import os
import sys
import tempfile
from pathlib import Path

import duckdb
import polars

# Polars plans by pyiceberg unless another package is there; without this it warns of that.
os.environ.setdefault("POLARS_ICEBERG_PLANNER", "pyiceberg")

KEYS = ("received_at", "event_id")


def in_folder(data_dir):
    """The table, and its data files by the path that it names them by."""
    from pyiceberg.catalog.sql import SqlCatalog

    lake = Path(data_dir).resolve() / "lake"
    catalog = SqlCatalog("daybook", uri=f"sqlite:///{lake / 'catalog.db'}", warehouse=str(lake))
    table = catalog.load_table("daybook.requests")
    return table, {str(path): str(path) for path in (lake / "daybook" / "requests" / "data").rglob("*.parquet")}


def on_aws(bucket, database, copies):
    """The same of a deployment; its data files are copied into the folder `copies`."""
    import boto3
    from pyiceberg.catalog.glue import GlueCatalog

    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    places = {"glue.endpoint": endpoint, "s3.endpoint": endpoint, "s3.force-virtual-addressing": "false"}
    region = {"client.region": os.environ["AWS_REGION"]}
    catalog = GlueCatalog("daybook", **region, **(places if endpoint else {}))
    table = catalog.load_table(f"{database}.requests")
    objects = boto3.resource("s3").Bucket(bucket).objects.filter(Prefix=f"lake/{database}/requests/data/")
    files = {}
    for number, entry in enumerate(objects):
        copy = os.path.join(copies, f"{number}.parquet")
        boto3.client("s3").download_file(bucket, entry.key, copy)
        files[f"s3://{bucket}/{entry.key}"] = copy
    return table, files


def check(table, files) -> int:
    faults = [fault for snapshot in table.snapshots() for fault in of_snapshot(table, snapshot, files)]
    faults += rewritten(table)
    rows = table.scan().to_arrow()
    distinct = len(rows.column("event_id").unique())
    named = {path for snapshot in table.snapshots() for path in paths_of(table, snapshot.snapshot_id)}
    missing = sorted(named - files.keys())
    print(f"snapshots {len(table.snapshots())}  rows {len(rows)}  distinct events {distinct}")
    print(f"files {len(named)}  stored {len(files)}  in no snapshot {len(files.keys() - named)}")
    counted = table.properties.get("daybook.rows", "0")
    if len(rows) != distinct:
        faults.append("an event is there twice")
    if str(len(rows)) != counted:
        faults.append(f"the table's own count of rows is {counted}")
    faults += [f"missing: {path}" for path in missing]
    faults += single_rows(table, [files[path] for path in paths_of(table) if path in files], len(rows))
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        print("pyiceberg, duckdb and polars: in every snapshot the rows that its summary says, and each event once")
    return 1 if faults else 0


def paths_of(table, snapshot_id=None):
    """The files of a snapshot, by the path that it names them by."""
    return {task.file.file_path.removeprefix("file://") for task in table.scan(snapshot_id=snapshot_id).plan_files()}


def of_snapshot(table, snapshot, files):
    """Holds what each reader counts against the summary."""
    summary = snapshot.summary
    total = int(summary["total-records"]) if summary else 0
    named = paths_of(table, snapshot.snapshot_id)
    paths = sorted(files[path] for path in named if path in files)
    ids = table.scan(snapshot_id=snapshot.snapshot_id, selected_fields=KEYS).to_arrow().column("event_id")
    counts = {"pyiceberg": (len(ids), len(ids.unique()))}
    # A snapshot without files is no table to a reader of files.
    counts["duckdb"] = (0, 0) if not paths else duckdb.execute(
        "select count(*), count(distinct event_id) from read_parquet(?)", [paths]).fetchone()
    if named == set(paths):
        frame = polars.scan_iceberg(table, snapshot_id=snapshot.snapshot_id)
    else:
        # What lies on S3 is read from copies.
        frame = polars.scan_parquet(paths) if paths else polars.LazyFrame({"event_id": []})
    id = polars.col("event_id")
    counts["polars"] = frame.select(id.len().alias("rows"), id.n_unique().alias("distinct")).collect().row(0)
    return [f"snapshot {snapshot.snapshot_id}: {reader} counts {count} rows and {distinct} events, its summary {total}"
            for reader, (count, distinct) in counts.items() if (count, distinct) != (total, total)]


def rewritten(table):
    """What the format says about snapshots that replace files: each has the rows of its parent, whose files are entries
    of it, deleted by it, and entries keep their numbers."""
    faults = []
    by_id = {snapshot.snapshot_id: snapshot for snapshot in table.snapshots()}
    times = [entry.timestamp_ms for entry in table.history()]
    if times != sorted(times):
        faults.append("the history is not in order of time")
    if table.snapshots() and table.history()[-1].snapshot_id != table.current_snapshot().snapshot_id:
        faults.append("the history does not end with the current snapshot")
    first_seen = {}
    for snapshot in sorted(table.snapshots(), key=lambda snapshot: snapshot.sequence_number):
        for manifest in snapshot.manifests(table.io):
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                path, numbers = entry.data_file.file_path, (entry.sequence_number, entry.file_sequence_number)
                if None in numbers or numbers[0] > snapshot.sequence_number:
                    faults.append(f"{path}: numbers {numbers} in snapshot {snapshot.sequence_number}")
                if first_seen.setdefault(path, numbers) != numbers:
                    faults.append(f"{path}: numbers {numbers}, before {first_seen[path]}")
        parent = by_id.get(snapshot.parent_snapshot_id)
        if snapshot.summary.operation.value != "replace" or parent is None:
            continue
        before, after = (sorted_rows(table, of.snapshot_id) for of in (parent, snapshot))
        if not before.equals(after):
            faults.append(f"snapshot {snapshot.snapshot_id} has not the rows of its parent")
        else:
            print(f"replaced: {snapshot.summary['deleted-data-files'] or 0} files by "
                  f"{snapshot.summary['added-data-files'] or 0}, {len(after)} rows equal in all {after.num_columns} columns")
    return faults


def sorted_rows(table, snapshot_id):
    rows = table.scan(snapshot_id=snapshot_id).to_arrow()
    return rows.sort_by([("event_id", "ascending")]).combine_chunks()


def single_rows(table, files, rows):
    """Rows that are asked for by their values, which readers look up in statistics and bloom filters."""
    faults = []
    if files:
        count, distinct, ordered = duckdb.execute(
            "select count(*), count(distinct event_id), count(*) filter (where request_body is not null)"
            " from read_parquet(?)", [sorted(files)]).fetchone()
        print(f"duckdb over the files: rows {count}  distinct {distinct}  with a body {ordered}")
        if count != rows or distinct != rows:
            faults.append(f"duckdb reads {count} rows, pyiceberg {rows}")
        ids = duckdb.execute("select event_id, request_id, received_at from read_parquet(?) using sample 3", [sorted(files)])
        for event_id, request_id, received_at in ids.fetchall():
            for column, value in (("event_id", event_id), ("request_id", request_id)):
                found = duckdb.execute(
                    f"select count(*) from read_parquet(?) where {column} = ?", [sorted(files), value]).fetchone()[0]
                if found < 1:
                    faults.append(f"duckdb does not find {column} {value}: its statistics or bloom filter are wrong")
            found = table.scan(row_filter=f"event_id == '{event_id}'", selected_fields=KEYS).to_arrow()
            if len(found) != 1:
                faults.append(f"pyiceberg finds {len(found)} rows of event {event_id}")
            found = table.scan(row_filter=f"received_at == '{received_at.isoformat()}'", selected_fields=KEYS).to_arrow()
            if event_id not in found["event_id"].to_pylist():
                faults.append(f"pyiceberg does not find {event_id} by its time")
    return faults


if __name__ == "__main__":
    if len(sys.argv) == 2:
        sys.exit(check(*in_folder(sys.argv[1])))
    if len(sys.argv) == 3:
        with tempfile.TemporaryDirectory() as copies:
            sys.exit(check(*on_aws(sys.argv[1], sys.argv[2], copies)))
    sys.exit(__doc__)
