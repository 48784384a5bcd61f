#!/usr/bin/env python3
"""Writes `events.ndjson` and `answers/`: what each question must answer about these events.

usage: make.py [check]    with `check` nothing is written; exit status 1 if a file would change

The answers come from `answers.py`, which knows neither SQL nor an engine; names, defaults and kinds of parameters are
read from the questions' headers. Needs Python 3 and nothing else.
"""

import json
import re
import sys
from pathlib import Path

import answers
from events import DAY, HOUR, NOW, SECOND, iso, line, make
from rules import Time

HERE = Path(__file__).resolve().parent
QUERIES = HERE.parents[2] / "athena/queries"
UNITS = {"s": SECOND, "m": 60 * SECOND, "h": HOUR, "d": DAY}
TASK, READ = "task-10", "task-2"

# What is asked beside each question with its defaults: parameters, tenant.
MORE = {
    "traffic": [({"from": "now - 3d"}, "acme"), ({}, "nobody")],
    "availability": [({"slow_ms": "5"}, "ümlaut")],
    "peaks": [({"from": "now - 36d", "limit": "7"}, None)],
    "hour_of_week": [({"from": "now - 2d"}, "default")],
    "errors": [({"from": "now - 36d", "limit": "5"}, "acme")],
    "refusals": [({"from": "now - 36d"}, None)],
    "failures": [({"from": "now - 36d", "limit": "3"}, None)],
    "authentication_failures": [({"from": "now - 36d", "limit": "2"}, None)],
    "latency": [({"from": "now - 36d"}, "default")],
    "slowest": [({"route": "/tasks/{id}", "limit": "9"}, None), ({"route": "' or 1=1 --"}, None)],
    "unmatched_paths": [({"from": "now - 36d"}, "acme")],
    "top_actors": [({"from": "now - 36d", "limit": "4"}, None)],
    "user_requests": [({"user_id": "a\nb\u2028c\u202ed"}, None), ({"user_id": ""}, None)],
    "visits": [({"gap_minutes": "0"}, None), ({"from": "now - 36d", "gap_minutes": "600"}, "acme")],
    "new_users": [({"from": "now - 2d"}, "ümlaut")],
    "submissions_by_user": [({"from": "now - 36d", "limit": "3"}, None)],
    "duplicate_submissions": [({"from": "now - 36d"}, None)],
    "entity_history": [({"to": "now - 1d"}, "default"), ({"entity_id": "task-5"}, "default")],
    "entity_as_of": [({"as_of": "now - 1d"}, None), ({"entity_id": "task-999"}, None)],
    "changes_by_author": [({"from": "now - 36d", "limit": "6"}, "acme")],
    "chain_breaks": [({"from": "now - 36d"}, None), ({}, "acme")],
    "task_status": [({"to": "now - 1d"}, "acme")],
    "task_lead_times": [({"from": "now - 2d"}, "default")],
    "replays": [({"from": "now - 36d"}, "acme")],
    "find_request": [({"request_id": "' or '1'='1"}, None)],
    "late_events": [({"late_seconds": "0", "from": "now - 2d"}, "acme")],
}
REQUIRED = {"entity_id": TASK, "user_id": "Ünïcödé-使用者", "request_id": "req-0240", "trace_id": f"{80:032x}"}


def declared(name):
    """The parameters of a question's header: name, kind, default."""
    text = (QUERIES / f"{name}.sql").read_text()
    return re.findall(r"^--   (\w+) (\w+)(?: = (.*?))? : ", text, flags=re.MULTILINE)


def read(kind, text):
    if text == "null":
        return None
    if kind in ("bigint", "limit"):
        return int(text)
    if kind == "string":
        return text
    if relative := re.fullmatch(r"now(?: - (\d+)([smhd]))?", text):
        count, unit = relative.groups()
        return NOW - (int(count) * UNITS[unit] if count else 0)
    return 0 if text == "1970-01-01" else sys.exit(f"no time: {text}")


def ask(name, given, tenant, events):
    """The answer as the golden file has it."""
    params = {}
    for param, kind, default in declared(name):
        text = given.get(param, default[1:-1] if default.startswith("'") else default)
        params[param] = read(kind, text)
    last = params.get("as_of", params.get("to", 0) - 1)
    within = [event for event in events if params["from"] <= event["received_at"] <= last]
    rows = getattr(answers, name)([event for event in within if tenant in (None, event["tenant"])], params)
    shown = [[iso(cell) if isinstance(cell, Time) else cell for cell in row] for row in rows[: params.get("limit")]]
    return {"parameters": given, "tenant": tenant, "rows": shown}


def cases(name):
    required = {param: REQUIRED[param] for param, _, default in declared(name) if not default}
    if name == "entity_reads":
        required["entity_id"] = READ
    return [(required | given, tenant) for given, tenant in [({}, None), *MORE.get(name, [])]]


def text(name, events):
    """One answer a paragraph, one row a line."""
    out = []
    for given, tenant in cases(name):
        answer = ask(name, given, tenant, events)
        rows = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in answer["rows"])
        head = json.dumps({"parameters": given, "tenant": tenant}, ensure_ascii=False)[:-1]
        out.append(f'  {head}, "rows": [\n{rows}\n  ]}}' if rows else f'  {head}, "rows": []}}')
    return "[\n" + ",\n".join(out) + "\n]\n"


def main(check):
    events = make()
    files = {HERE / "events.ndjson": "".join(line(event) + "\n" for event in events)}
    for event in events:
        # As the tests' table has it: into the table within an hour and a half, by the time of receipt alone.
        event["ingested_at"] = event["received_at"] + event["received_at"] * 7_919 % (90 * 60 * SECOND)
    for file in sorted(QUERIES.glob("*.sql")):
        files[HERE / "answers" / f"{file.stem}.json"] = text(file.stem, events)
    (HERE / "answers").mkdir(exist_ok=True)
    changed = [path for path, content in files.items() if not path.exists() or path.read_text() != content]
    for path in changed:
        print(f"{'differs' if check else 'written'}: {path.relative_to(HERE)}")
        if not check:
            path.write_text(files[path])
    return bool(changed) and check


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["check"]))
