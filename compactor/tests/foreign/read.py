#!/usr/bin/env python3
"""Reads the lake of a data folder with readers that are not ours, and checks what they see.

usage: read.py DATA_DIR     (needs pyiceberg[sql-sqlite,pyarrow] and, if installed, duckdb)

Prints the counts of every snapshot; exit status 1 if a reader fails, an event is there twice, a file that a snapshot
names is missing, or the readers disagree.
"""

import os
import sys
from pathlib import Path

from pyiceberg.catalog.sql import SqlCatalog

KEYS = ("received_at", "event_id")


def main(data_dir: str) -> int:
    lake = Path(data_dir).resolve() / "lake"
    catalog = SqlCatalog("daybook", uri=f"sqlite:///{lake / 'catalog.db'}", warehouse=str(lake))
    table = catalog.load_table("daybook.requests")
    faults = []
    for snapshot in table.snapshots():
        rows = table.scan(snapshot_id=snapshot.snapshot_id, selected_fields=KEYS).to_arrow()
        total = snapshot.summary["total-records"] if snapshot.summary else None
        if str(len(rows)) != total:
            faults.append(f"snapshot {snapshot.snapshot_id}: {len(rows)} rows, its summary says {total}")
    rows = table.scan().to_arrow()
    distinct = len(rows.column("event_id").unique())
    named = {
        os.path.abspath(task.file.file_path.removeprefix("file://"))
        for snapshot in table.snapshots()
        for task in table.scan(snapshot_id=snapshot.snapshot_id).plan_files()
    }
    missing = sorted(path for path in named if not os.path.isfile(path))
    on_disk = {str(path) for path in (lake / "daybook" / "requests" / "data").rglob("*.parquet")}
    print(f"snapshots {len(table.snapshots())}  rows {len(rows)}  distinct events {distinct}")
    print(f"files {len(named)}  on disk {len(on_disk)}  in no snapshot {len(on_disk - named)}")
    counted = table.properties.get("daybook.rows", "0")
    if len(rows) != distinct:
        faults.append("an event is there twice")
    if str(len(rows)) != counted:
        faults.append(f"the table's own count of rows is {counted}")
    faults += [f"missing: {path}" for path in missing]
    faults += other_readers(table, named, len(rows))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def other_readers(table, files, rows):
    try:
        import duckdb
    except ImportError:
        return []
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
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
