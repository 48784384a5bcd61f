"""The golden events: some weeks of requests with nulls, ties, Unicode and hostile text, always the same.

They are made once and kept in `events.ndjson`; `make.py` writes that file and the answers.
"""

import hashlib
import json
import random
from pathlib import Path

COLUMNS = json.loads((Path(__file__).resolve().parents[3] / "event/testdata/schema/columns.json").read_text())
LINE = [column["name"] for column in COLUMNS if column["origin"] == "line"]

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
NOW = 1_795_176_000 * SECOND  # 2026-11-20T12:00:00Z

USERS = [None, "ann", "bob", "zoë", "Ünïcödé-使用者", "'; drop table requests; --", "=cmd()", "a\nb\u2028c\u202ed", ""]
AGENTS = [None, "curl/8.16.0", "Shop-iOS/4.12", "Mozilla/5.0 (\"quoted\"; é)", "bot\t1"]
ADDRESSES = [None, "192.0.2.1", "192.0.2.2", "198.51.100.7", "2001:db8::1"]
BODIES = [
    '{"message":"hello"}',
    '{"message":"a \\"quoted\\" caf\\u00e9 \\ud83d\\ude00"}',
    '{"message":12345678901234567890123}',
    '{"message":{"nested":true}}',
    '{"URL":1,"Url":2,"message":"first","message":"second"}',
    '{"message":null}',
    '{"message":"cut',
    '{ "a" : [1, 2], "message" : true } trailing',
    "=cmd|'/c calc'!A0",
    '{"message":"secret","password":"[redacted:0a1b2c3d]"}',
    '{"message":"secret","password":"[redacted:0a1b2c3d]","token":"[redacted:ffffffff]"}',
    '{"message":"\\u0000\\u001b[31mred","n":1e400}',
    "",
    None,
]
REFUSALS = [
    (400, "invalid-json", "line 1: found `'; --`"),
    (401, "unauthenticated", None),
    (403, "forbidden", "key is not of this tenant"),
    (404, "not-found", "no task é"),
    (404, "Not-Found", None),
    (409, None, None),
    (422, "validation", "priority: [redacted:0a1b2c3d]"),
    (429, "too-many-requests", None),
    (503, "unavailable", "the store was busy\n"),
    (500, None, "panic"),
]


def iso(micros):
    """A time as the line has it."""
    days, rest = divmod(micros, DAY)
    return f"{_date(days)}T{rest // HOUR:02}:{rest // (60 * SECOND) % 60:02}:{rest // SECOND % 60:02}.{rest % SECOND:06}Z"


def _date(days):
    import datetime

    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=days)).isoformat()


def line(event, without=()):
    """The event as its line."""
    fields = {name: event[name] for name in LINE if event.get(name) is not None and name not in without}
    fields["received_at"] = iso(event["received_at"])
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(event):
    return event | {"event_hash": sha256(line(event, without=["event_hash"]))}


class Maker:
    """Makes one event after the other. What it chooses from may be more in a class of its own."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.users, self.agents, self.addresses, self.bodies = USERS, AGENTS, ADDRESSES, BODIES
        self.actors, self.keys, self.idempotency_keys, self.tasks_at_once, self.tasks_read = 4, 4, 9, 12, 4
        self.count = 0
        self.tasks = {}

    def below(self, bound):
        return int(self.random.random() * bound)

    def one_of(self, values):
        return values[self.below(len(values))]

    def once_in(self, count):
        return self.below(count) == 0

    def event(self, at):
        kind = self.below(20)
        event = self.request(at)
        if kind < 5:
            event = self.submission(event)
        elif kind < 12:
            event = self.change(event)
        elif kind < 16:
            event = self.read(event)
        else:
            event = self.refusal(event)
        return sealed(event)

    def request(self, at):
        self.count += 1
        number = self.count
        milliseconds = at // 1_000
        user = self.one_of(self.users)
        return {
            "event_id": f"{milliseconds >> 16:08x}-{milliseconds & 0xffff:04x}-7{number % 4096:03x}-8000-{number * 7919:012x}",
            "schema_version": 1,
            "received_at": at,
            "tenant": self.one_of(["default", "default", "acme", "ümlaut"]),
            "request_id": f"req-{number // 2 * 2 if self.once_in(30) else number:04}",
            "trace_id": None if self.once_in(3) else f"{number // 5:032x}",
            "actor_type": self.one_of(["api_key", "jwt", "anonymous"]),
            "actor_id": None if self.once_in(3) else f"actor-{self.below(self.actors)}",
            "api_key_id": None if self.once_in(4) else f"key-{self.below(self.keys)}",
            "user_id": user,
            "client_ip": self.one_of(self.addresses),
            "user_agent": self.one_of(self.agents),
            "method": "GET",
            "route": "/tasks/{id}",
            "path": f"/tasks/{number % 7}",
            "query_string": self.one_of([None, None, "limit=5", "api_key=[redacted:0a1b2c3d]&limit=5", "q=%27é"]),
            "request_bytes": 0,
            "request_body_encoding": "none",
            "status": 200,
            # Halves and eighths, often equal: percentiles and orders meet ties.
            "duration_ms": self.below(60) / 8 if not self.once_in(12) else 100.5 * self.below(30),
            "response_bytes": None if self.once_in(6) else self.below(5) * 128,
            "service": "daybook",
            "service_version": "0.1.0" if at < NOW - DAY else self.one_of(["0.1.0", "0.2.0"]),
            "environment": self.one_of(["production", "production", "staging"]),
            "region": self.one_of([None, "eu-central-1"]),
            "cold_start": self.one_of([None, True, False, False, False]),
            "ingest_path": self.one_of(["stream", "stream", "direct", "fallback", "gateway"]),
        }

    def keyed(self, event):
        outcome = self.one_of([None, None, "first", "first", "replayed", "in_flight", "mismatch"])
        if outcome is None:
            return event
        event |= {"idempotency_key": f"key é {self.below(self.idempotency_keys)}", "idempotency_outcome": outcome}
        return event | {"event_type": "request.replayed"} if outcome == "replayed" else event

    def submission(self, event):
        body = self.one_of(self.bodies)
        event |= {"event_type": "data.submitted", "method": "POST", "route": "/data", "path": "/data", "status": 201}
        event |= {"entity_type": "data", "entity_id": event["event_id"], "entity_version": 1, "operation": "create"}
        if body is None:
            event |= {"request_bytes": 70_000, "request_body_encoding": "ref", "request_body_ref": "bodies/x"}
            return self.keyed(event)
        event |= {"request_bytes": len(body.encode()), "request_body": body, "request_body_encoding": "json"}
        return self.keyed(event | {"request_body_sha256": sha256(body)})

    def change(self, event):
        """A task's next version; seldom, a version is left out, comes twice or does not follow its hash."""
        number = self.below(self.tasks_at_once)
        key = (number % 2 and "acme" or "default", f"task-{number}")
        task = self.tasks.get(key)
        if task is not None and task["operation"] == "delete":
            key = (key[0], f"{key[1]}-{self.count}")
            task = None
        event |= {"tenant": key[0], "entity_type": "task", "entity_id": key[1], "actor_type": "api_key"}
        at, status, priority = event["received_at"] // SECOND, self.one_of(STATUSES), self.one_of(PRIORITIES)
        if task is None:
            data = {"task": "é", "status": self.one_of(["new", "new", status]), "priority": priority}
            state = {"created_at": at, "id": key[1], **data}
            made = {"event_type": "task.created", "method": "POST", "status": 201, "operation": "create", "entity_version": 1}
        elif self.once_in(9):
            data, state = {}, task["state"] | {"deleted_at": at}
            made = {"event_type": "task.deleted", "method": "DELETE", "status": 204, "operation": "delete"}
        else:
            data = self.one_of([{"status": status}, {"status": status}, {"task": "b"}, {"priority": priority}])
            state = task["state"] | data
            made = {"event_type": "task.updated", "method": "PUT", "status": 200, "operation": "update"}
        if task is not None:
            made["entity_version"] = task["version"] + self.one_of([1] * 30 + [2, 0])
            made["prev_event_hash"] = "f" * 64 if self.once_in(40) else task["hash"]
        event |= made | {"event_data": json.dumps(data, ensure_ascii=False, separators=(",", ":"))}
        state |= {"updated_at": at, "version": made["entity_version"]}
        event["state_after"] = json.dumps(dict(sorted(state.items())), ensure_ascii=False, separators=(",", ":"))
        event["state_hash"] = sha256(event["state_after"])
        event["request_bytes"] = len(event["event_data"])
        self.tasks[key] = {
            "state": state, "version": event["entity_version"], "hash": sealed(event)["event_hash"],
            "operation": event["operation"],
        }
        return event

    def read(self, event):
        event |= {"event_type": "request.read", "operation": self.one_of(["read", "list"]), "entity_type": "task"}
        if event["operation"] == "read":
            event |= {"entity_id": f"task-{self.below(self.tasks_read)}", "entity_version": 1 + self.below(3)}
        return event | {"status": self.one_of([200, 200, 304])}

    def refusal(self, event):
        status, error, detail = self.one_of(REFUSALS)
        event |= {"status": status, "error_type": error, "error_detail": detail}
        event |= {"event_type": "request.rejected" if status < 500 else "request.failed"}
        if self.once_in(2):
            event |= {"route": None, "path": self.one_of(["/.env", "/wp-admin/é", "/reset/[redacted:0a1b2c3d]", "/'--"])}
        if self.once_in(3):
            event |= {"method": "POST", "route": "/data", "path": "/data"}
            return self.keyed(event) | {"event_type": event["event_type"]}
        return event


STATUSES = ["new", "in_progress", "in_progress", "completed", "completed", "cancelled"]
PRIORITIES = ["low", "medium", "medium", "high", "urgent"]


def make(maker=None, count=600):
    """Events of which most are of the last two days, the others of the five weeks before; every eighth at its neighbour's time."""
    maker = maker or Maker(20_261_120)
    old = count * 2 // 5
    times = [NOW - 35 * DAY + maker.below(33 * DAY) for _ in range(old)]
    times = sorted(times + [NOW - 2 * DAY + maker.below(2 * DAY) for _ in range(count - old - 2)])
    for index in range(7, len(times), 8):
        times[index] = times[index - 1]
    # The bounds of ranges: the first moment of a day, and the moment that no longer counts.
    times += [NOW - DAY, NOW]
    return [maker.event(at) for at in sorted(times)]
