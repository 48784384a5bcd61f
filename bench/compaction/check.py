#!/usr/bin/env python3
"""Checks that a compacted table holds what DuckDB finds in the same raw objects.

usage: check.py FOLDER < SUMMARY    FOLDER holds raw/; SUMMARY is what `bench compact FOLDER` printed

Of both sides come the number of events and, for each of the line's columns, the sum of a hash of event id and value over
all events: equal sums in any order of rows. Then each file's rows must be in order of (received_at, event_id), and each
row's `raw_object` one that has the event. Exit status 1, and what differs, if not.
"""

import json
import sys

import duckdb

from peer import LINE_COLUMNS, duckdb_source

NAMES = [column["name"] for column in LINE_COLUMNS]


def sums(rows):
    """Count and the columns' sums over `rows`, which have the hashes in place of the values."""
    columns = ", ".join(f'sum("{name}"::hugeint)' for name in NAMES)
    return duckdb.execute(f"select count(*), {columns} from ({rows})").fetchone()


def hashes(around="{}"):
    return ", ".join(around.format(f'hash(event_id, "{name}")') + f' as "{name}"' for name in NAMES)


def differences(folder, table):
    paths = [file["path"] for file in table["files"]]
    files = f"read_parquet({paths})"
    ours = sums(f"select {hashes()} from {files}")
    # A duplicate is the same line: any of them stands for all.
    theirs = sums(f"select {hashes('any_value({})')} from {duckdb_source(folder)} group by event_id")
    print(f"equality: {ours[0]} rows in {len(paths)} files, {theirs[0]} events in the raw objects by DuckDB")
    if ours[0] != theirs[0]:
        yield f"{ours[0]} rows, but {theirs[0]} events"
    if ours[0] != table["rows"]:
        yield f"{ours[0]} rows in the files, but {table['rows']} by the table's metadata"
    if table["lines"] != table["rows"] + table["duplicates"] + table["quarantined"]:
        yield f"the table's counts do not add up: {table}"
    yield from (f"column {name} differs" for name, a, b in zip(NAMES, ours[1:], theirs[1:]) if a != b)
    (distinct,) = duckdb.execute(f"select count(distinct event_id) from {files}").fetchone()
    if distinct != ours[0]:
        yield f"{ours[0]} rows, but {distinct} different events among them"
    for path in paths:
        yield from disorder(path)
    (stray,) = duckdb.execute(f"""
        select count(*) from {files} as ours anti join {duckdb_source(folder)} as theirs
            on ours.event_id = theirs.event_id and ends_with(theirs.raw_object, '/' || ours.raw_object)
        """).fetchone()
    if stray:
        yield f"{stray} rows name a raw object that does not have their event"


def disorder(path):
    (inversions,) = duckdb.execute(f"""
        select count(*) from (
            select row(received_at, event_id) <= lag(row(received_at, event_id)) over (order by file_row_number) as wrong
            from read_parquet('{path}', file_row_number = true)
        ) where wrong
        """).fetchone()
    if inversions:
        yield f"{path}: {inversions} rows are not after the row before them"


def main(folder):
    duckdb.execute("set enable_progress_bar = false")
    found = list(differences(folder, json.load(sys.stdin)["table"]))
    for difference in found:
        print(difference, file=sys.stderr)
    print("equality: " + ("the same in all line columns" if not found else "NOT the same"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
