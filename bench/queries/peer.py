"""The same statements in DuckDB, on the same files."""

import datetime
import json
import math
import os
import re
import time

import duckdb

VERSION = f"DuckDB {duckdb.__version__}"
# Trino's word and DuckDB's for the same.
WORDS = {"approx_percentile(": "approx_quantile(", "json_extract_scalar(": "json_extract_string(", "date_diff(": "date_sub(",
         "day_of_week(": "isodow(", "timestamp(6)": "timestamp", "count_if(": "count_true("}
# What each engine estimates in its own way, or chooses among rows that tie.
OWN = re.compile(r"(.*_)?p\d\d_|last_(detail|user_agent|message|event_id|request_id|route)$")


class Peer:
    """One connection, as many threads as there are cores, and a view of the table's files."""

    def __init__(self, files):
        self.connection = duckdb.connect()
        self.connection.execute(f"set threads = {os.cpu_count()}")
        self.connection.execute("set enable_progress_bar = false")
        # DuckDB's own gives null for a group whose conditions are all null; Trino counts 0.
        self.connection.execute("create macro count_true(condition) as count(nullif(condition, false))")
        self.connection.execute(f"create view requests as from read_parquet({files})")

    def rows(self, sql):
        for word, own in WORDS.items():
            sql = sql.replace(word, own)
        ran = self.connection.execute(sql)
        return [dict(zip([column[0] for column in ran.description], row)) for row in ran.fetchall()]

    def seconds(self, sql):
        """How long the answer takes, its rows in Python's hands."""
        begun = time.perf_counter()
        self.rows(sql)
        return time.perf_counter() - begun


def wanted(files, day):
    """Something of that day for each parameter that is required: a task of many changes, a request, a trace, a user."""
    ask = duckdb.connect().execute
    within = f"from read_parquet({files}) where received_at >= date '{day}'"
    one = lambda sql: ask(sql).fetchone()[0]
    return {
        "entity_id": one(f"select entity_id {within} and event_type = 'task.updated' group by 1 order by count(*) desc, 1 limit 1"),
        "request_id": one(f"select max(request_id) {within}"),
        "trace_id": one(f"select max(trace_id) {within}"),
        "user_id": one(f"select user_id {within} and user_id is not null group by 1 order by count(*) desc, 1 limit 1"),
    }


def differences(answer, rows):
    """What of our answer is not the peer's, at most one thing; order is left to the golden tests."""
    names = [column["name"] for column in answer["columns"] if not OWN.match(column["name"])]
    ours, theirs = (sorted(json.dumps([plain(row[name]) for name in names]) for row in rows) for rows in (answer["rows"], rows))
    if len(ours) != len(theirs):
        yield f"{len(ours)} rows, {len(theirs)} of the peer"
    elif ours != theirs:
        yield next(f"{a}, not {b}" for a, b in zip(ours, theirs) if a != b)


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    return value
