"""Each question's answer by plain loops over the events that its range and tenant let through: no engine, no SQL."""

from events import DAY, HOUR, SECOND
from rules import (coalesce, count, distinct, first_at, group, last_at, max_by, min_by, ordered, percentile, scalar,
                   seconds, time, trunc, values)

MINUTE = 60 * SECOND


def route(event):
    return coalesce(event.get("route"), "(unmatched)")


def actor(event):
    return coalesce(event.get("user_id"), event.get("api_key_id"), event.get("client_ip"), "(unknown)")


def author(event):
    return coalesce(event.get("user_id"), event.get("actor_id"), event.get("api_key_id"), event["actor_type"])


def unit(size):
    return lambda event: time(trunc(event["received_at"], size))


def refused(event):
    return 400 <= event["status"] < 500


def failed(event):
    return event["status"] >= 500


def durations(events):
    return values(events, "duration_ms")


def changes(events):
    return [event for event in events if event.get("entity_version") is not None
            and event.get("operation") in ("create", "update", "delete") and not event["event_type"].startswith("request.")]


def of_tasks(events):
    return [event for event in events if event["event_type"] in ("task.created", "task.updated", "task.deleted")]


def of_entity(events, p):
    return [event for event in events
            if event.get("entity_type") == p["entity_type"] and event.get("entity_id") == p["entity_id"]]


def cells(event, names):
    return [time(event["received_at"]) if name == "received_at" else event.get(name) for name in names.split()]


def traffic(events, p):
    return ordered([[
        hour, len(its), count(its, lambda e: e["status"] // 100 == 2), count(its, lambda e: e["status"] // 100 == 3),
        count(its, refused), count(its, failed), sum(values(its, "request_bytes")), sum(values(its, "response_bytes")),
    ] for (hour,), its in group(events, unit(HOUR)).items()], 1)


def availability(events, p):
    def row(day, its):
        late = count(its, lambda e: not failed(e) and e["duration_ms"] > p["slow_ms"])
        answered = len(its) - count(its, failed)
        return [day, len(its), count(its, failed), late, answered / len(its), (answered - late) / len(its)]

    return ordered([row(day, its) for (day,), its in group(events, unit(DAY)).items()], 1)


def peaks(events, p):
    return ordered([[minute, len(its), count(its, failed), percentile(durations(its), 0.95), max(durations(its))]
                    for (minute,), its in group(events, unit(MINUTE)).items()], -2, 1)


def hour_of_week(events, p):
    weekday = lambda e: (e["received_at"] // DAY + 3) % 7 + 1
    hour = lambda e: e["received_at"] // HOUR % 24

    def row(key, its):
        days = distinct(its, unit(DAY))
        return [*key, len(its), days, len(its) / days, percentile(durations(its), 0.95)]

    return ordered([row(key, its) for key, its in group(events, weekday, hour).items()], 1, 2)


def errors(events, p):
    kind = lambda e: coalesce(e.get("error_type"), "(none)").lower()
    wrong = [event for event in events if event["status"] >= 400]
    return ordered([[*key, len(its), first_at(its), last_at(its), max_by(its, "request_id")]
                    for key, its in group(wrong, route, "method", "status", kind).items()], -5, 1, 2, 3, 4)


def refusals(events, p):
    them = [event for event in events if refused(event)]
    reason = lambda e: coalesce(e.get("error_type"), "(none)")
    return ordered([[
        *key, len(its), len(its) / len(them), distinct(its, "route"), distinct(its, actor), first_at(its), last_at(its),
        max_by(its, "error_detail"),
    ] for key, its in group(them, reason, "status").items()], -3, 1, 2)


def failures(events, p):
    names = ("received_at method route path status error_type error_detail duration_ms service_version trace_id"
             " request_id event_id")
    return ordered([cells(event, names) for event in events if failed(event)], -1, -12)


def authentication_failures(events, p):
    address = lambda e: coalesce(e.get("client_ip"), "(unknown)")
    rows = []
    for (ip,), its in group(events, address).items():
        out = [event for event in its if event["status"] in (401, 403)]
        if out:
            rows.append([ip, len(out), len(its) - len(out), distinct(out, "path"), first_at(out), last_at(out),
                         max_by(out, "user_agent")])
    return ordered(rows, -2, 1)


def latency(events, p):
    return ordered([[
        *key, len(its), *(percentile(durations(its), share) for share in (0.5, 0.95, 0.99)), max(durations(its)),
    ] for key, its in group(events, route, "method").items()], -5, 1, 2)


def slowest(events, p):
    names = "duration_ms received_at method route path status request_bytes response_bytes cold_start request_id event_id"
    its = [event for event in events if p["route"] is None or event.get("route") == p["route"]]
    return ordered([cells(event, names) for event in its], -1, 11)


def bytes_by_route(events, p):
    answered = lambda e: coalesce(e.get("response_bytes"), 0)
    rows = [[
        *key, len(its), sum(values(its, "request_bytes")), sum(values(its, answered)), max(values(its, "request_bytes")),
        max(values(its, answered)), count(its, lambda e: e["request_body_encoding"] == "ref"),
    ] for key, its in group(events, route, "method").items()]
    return sorted(ordered(rows, 1, 2), key=lambda row: -(row[3] + row[4]))


def unmatched_paths(events, p):
    its = [event for event in events if event.get("route") is None]
    return ordered([[*key, len(its), distinct(its, "client_ip"), first_at(its), last_at(its), max_by(its, "user_agent")]
                    for key, its in group(its, "path", "method").items()], -3, 1, 2)


def top_actors(events, p):
    kind = lambda e: next((kind for kind, name in (("user", "user_id"), ("api_key", "api_key_id"), ("client_ip", "client_ip"))
                           if e.get(name) is not None), "unknown")
    return ordered([[
        *key, len(its), count(its, lambda e: e["status"] >= 400), sum(values(its, "request_bytes")), first_at(its),
        last_at(its), max_by(its, "user_agent"),
    ] for key, its in group(events, kind, actor).items()], -3, 1, 2)


def clients(events, p):
    agent = lambda e: coalesce(e.get("user_agent"), "(none)")
    return ordered([[
        name, len(its), distinct(its, actor), count(its, refused), count(its, failed), percentile(durations(its), 0.95),
    ] for (name,), its in group(events, agent).items()], -2, 1)


def api_keys(events, p):
    its = [event for event in events if event.get("api_key_id") is not None]
    return ordered([[
        *key, len(its), count(its, lambda e: e["status"] >= 400), distinct(its, "client_ip"), distinct(its, unit(DAY)),
        first_at(its), last_at(its),
    ] for key, its in group(its, "tenant", "api_key_id").items()], -3, 1, 2)


def tenants(events, p):
    change = lambda e: e["event_type"].split(".")[0] not in ("request", "gateway")
    return ordered([[
        tenant, len(its), distinct(its, "user_id"), count(its, change), count(its, refused), count(its, failed),
        sum(values(its, "request_bytes")), sum(values(its, "response_bytes")), last_at(its),
    ] for (tenant,), its in group(events, "tenant").items()], -2, 1)


def user_requests(events, p):
    names = "received_at method path status event_type error_type entity_type entity_id client_ip request_id event_id"
    return ordered([cells(event, names) for event in events if event.get("user_id") == p["user_id"]], -1, -11)


def visits(events, p):
    begun = []
    for (visitor,), its in group(sorted(events, key=lambda e: e["received_at"]), actor).items():
        visit = []
        for event in its:
            if visit and seconds(visit[-1]["received_at"], event["received_at"]) > p["gap_minutes"] * 60:
                begun.append((visitor, visit))
                visit = []
            visit.append(event)
        begun.append((visitor, visit))
    days = {}
    for visitor, visit in begun:
        days.setdefault(trunc(visit[0]["received_at"], DAY), []).append((visitor, visit))
    rows = []
    for day, its in days.items():
        requests = sum(len(visit) for _, visit in its)
        lengths = [seconds(visit[0]["received_at"], visit[-1]["received_at"]) for _, visit in its]
        rows.append([time(day), len(its), len({visitor for visitor, _ in its}), requests, requests / len(its),
                     percentile(lengths, 0.5), max(lengths)])
    return ordered(rows, 1)


def new_users(events, p):
    known = [event for event in events if event.get("user_id") is not None]
    user = lambda e: (e["tenant"], e["user_id"])
    first = {key: min(trunc(e["received_at"], DAY) for e in its) for (key,), its in group(known, user).items()}
    rows = []
    for (day,), its in group(known, unit(DAY)).items():
        users = {user(event) for event in its}
        new = sum(1 for key in users if first[key] == day)
        rows.append([day, len(users), new, len(users) - new, len(its)])
    return ordered(rows, 1)


def submissions_by_user(events, p):
    its = [event for event in events if event["event_type"] == "data.submitted"]
    return ordered([[
        user, len(its), sum(values(its, "request_bytes")), first_at(its), last_at(its), max_by(its, "event_id"),
        max_by(its, lambda e: scalar(e.get("request_body"), "message")),
    ] for (user,), its in group(its, lambda e: coalesce(e.get("user_id"), "(unknown)")).items()], -2, 1)


def duplicate_submissions(events, p):
    its = [event for event in events if event["event_type"] == "data.submitted"
           and event.get("request_body_sha256") is not None and event.get("idempotency_key") is None]
    user = lambda e: coalesce(e.get("user_id"), "(unknown)")
    return ordered([[
        *key, len(its), max(values(its, "request_bytes")), seconds(first_at(its), last_at(its)), first_at(its),
        min(values(its, "event_id")),
    ] for key, its in group(its, "tenant", user, "request_body_sha256").items() if len(its) > 1], -4, 1, 2, 3)


def entity_history(events, p):
    rows = [[
        e["tenant"], e["entity_version"], time(e["received_at"]), e["event_type"], e["operation"], author(e), e["status"],
        e.get("event_data"), e.get("state_after"), e.get("state_hash"), e["request_id"], e["event_id"],
    ] for e in changes(of_entity(events, p))]
    return ordered(rows, 1, 2, 12)


def is_gone(its, at):
    end = scalar(max_by(its, "state_after", "entity_version"), "expires_at")
    return max_by(its, "operation", "entity_version") == "delete" or end is not None and int(end) <= at // SECOND


def entity_as_of(events, p):
    def row(tenant, its):
        by = lambda name: max_by(its, name, "entity_version")
        first = min_by(its, "received_at", "entity_version")
        return [tenant, p["entity_type"], p["entity_id"], max(values(its, "entity_version")), time(first),
                time(by("received_at")), is_gone(its, p["as_of"]), by("state_after"), by("state_hash"), by("event_id")]

    return ordered([row(tenant, its) for (tenant,), its in group(changes(of_entity(events, p)), "tenant").items()], 1)


def entity_authors(events, p):
    return ordered([[
        tenant, by, len(its), distinct(its, "client_ip"), min(values(its, "entity_version")),
        max(values(its, "entity_version")), first_at(its), last_at(its), max_by(its, "operation", "entity_version"),
    ] for (tenant, by), its in group(changes(of_entity(events, p)), "tenant", author).items()], -6, 1, 2)


def entity_reads(events, p):
    its = [event for event in of_entity(events, p) if event.get("operation") == "read" and event["status"] < 400]
    reader = lambda e: coalesce(e.get("user_id"), e.get("actor_id"), e.get("api_key_id"), e.get("client_ip"), e["actor_type"])
    return ordered([[*key, len(its), max(values(its, "entity_version"), default=None), first_at(its), last_at(its)]
                    for key, its in group(its, "tenant", reader).items()], -6, 1, 2)


def changes_by_author(events, p):
    def row(key, its):
        done = [count(its, lambda e, word=word: e["operation"] == word) for word in ("create", "update", "delete")]
        return [*key, len(its), *done, distinct(its, "entity_id"), last_at(its)]

    return ordered([row(key, its) for key, its in group(changes(events), author, "entity_type").items()], -3, 1, 2)


def deletions(events, p):
    return ordered([[
        time(e["received_at"]), e["tenant"], e["entity_type"], e["entity_id"], e["entity_version"], author(e),
        e.get("client_ip"), e.get("state_after"), e["request_id"], e["event_id"],
    ] for e in changes(events) if e["operation"] == "delete"], -1, -10)


def chain_breaks(events, p):
    rows = []
    its = [event for event in changes(events) if event["entity_type"] != "data"]
    for key, chain in group(its, "tenant", "entity_type", "entity_id").items():
        before = None
        for event in sorted(chain, key=lambda e: (e["entity_version"], e["event_id"])):
            problem = broken_link(before, event)
            if problem:
                rows.append([*key, event["entity_version"], before and before["entity_version"], time(event["received_at"]),
                             event["event_id"], problem])
            before = event
    return ordered(rows, 1, 2, 3, 4, 7)


def broken_link(before, event):
    version, follows = event["entity_version"], event.get("prev_event_hash")
    if before is None:
        return "the first change follows on another" if version == 1 and follows else None
    if before["entity_version"] == version:
        return "the version stands twice"
    if before["entity_version"] + 1 < version:
        return "a version is missing"
    return None if before["event_hash"] == follows else "the hash is another"


def state(event, name):
    return coalesce(scalar(event.get("state_after"), name), "(unknown)")


def task_status(events, p):
    there = []
    for _, its in group(of_tasks(events), "tenant", "entity_id").items():
        if max_by(its, "operation", "entity_version") != "delete":
            text = max_by(its, "state_after", "entity_version")
            there.append({"state_after": text, "received_at": max(values(its, "received_at"))})
    return ordered([[*key, len(its), first_at(its), last_at(its)] for key, its in
                    group(there, lambda e: state(e, "status"), lambda e: state(e, "priority")).items()], -3, 1, 2)


def task_throughput(events, p):
    def row(day, its):
        becomes = [scalar(event.get("event_data"), "status") for event in its]
        return [day, len(its), count(its, lambda e: e["event_type"] == "task.created"), becomes.count("completed"),
                becomes.count("cancelled"), count(its, lambda e: e["event_type"] == "task.deleted"), distinct(its, "entity_id")]

    return ordered([row(day, its) for (day,), its in group(of_tasks(events), unit(DAY)).items()], 1)


def task_transitions(events, p):
    moves = {}
    for _, its in group(of_tasks(events), "tenant", "entity_id").items():
        status, since = None, None
        for event in sorted(its, key=lambda e: (e["entity_version"], e["event_id"])):
            becomes = "deleted" if event["operation"] == "delete" else state(event, "status")
            if becomes == status:
                continue
            if since is not None or event["entity_version"] == 1:
                moves.setdefault((coalesce(status, "(none)"), becomes), []).append((since, event["received_at"]))
            status, since = becomes, event["received_at"]
    return ordered([[
        *key, len(its), percentile([seconds(*it) for it in its], 0.5), percentile([seconds(*it) for it in its], 0.95),
        time(max(at for _, at in its)),
    ] for key, its in moves.items()], -3, 1, 2)


def task_lead_times(events, p):
    done = [event for event in events if event["event_type"] in ("task.created", "task.updated")
            and scalar(event.get("event_data"), "status") == "completed"]
    firsts = []
    for _, its in group(done, "tenant", "entity_id").items():
        lead = lambda e: e["received_at"] // 1_000 // 1_000 - int(scalar(e["state_after"], "created_at"))
        firsts.append({"priority": min_by(its, lambda e: state(e, "priority"), "entity_version"),
                       "lead": min_by(its, lead, "entity_version")})
    return ordered([[
        priority, len(its), percentile(values(its, "lead"), 0.5), percentile(values(its, "lead"), 0.95), max(values(its, "lead")),
    ] for (priority,), its in group(firsts, "priority").items()], -2, 1)


def idempotency(events, p):
    def row(key, its):
        outcomes = [event.get("idempotency_outcome") for event in its]
        keyed = len(values(its, "idempotency_key"))
        return [*key, len(its), keyed, *map(outcomes.count, ("first", "replayed", "in_flight", "mismatch")), keyed / len(its)]

    writes = [event for event in events if event["method"] in ("POST", "PUT", "PATCH", "DELETE")]
    return ordered([row(key, its) for key, its in group(writes, route, "method").items()], -3, 1, 2)


def replays(events, p):
    rows = []
    keyed = [event for event in events if event.get("idempotency_key") is not None]
    for key, its in group(keyed, "tenant", "idempotency_key").items():
        again = [count(its, lambda e, word=word: e["idempotency_outcome"] == word) for word in ("replayed", "mismatch", "in_flight")]
        if any(again):
            rows.append([*key, *again, distinct(its, actor), max_by(its, route), first_at(its), last_at(its)])
    return ordered(rows, -3, -4, 1, 2)


def masked_secrets(events, p):
    has = lambda name: lambda e: "[redacted:" in (e.get(name) or "")
    body, query, path = has("request_body"), has("query_string"), has("path")

    def mask(event):
        text = event.get("request_body") or ""
        return text[text.index("[redacted:"):][:19] if body(event) else None

    its = [event for event in events if body(event) or query(event) or path(event)]
    return ordered([[
        *key, len(its), count(its, body), count(its, query), count(its, path), distinct(its, mask), distinct(its, actor), last_at(its),
    ] for key, its in group(its, route, "method").items()], -3, 1, 2)


FOUND = ("received_at tenant method path status event_type error_type entity_type entity_id entity_version duration_ms"
         " request_body request_id event_id")


def find_request(events, p):
    return ordered([cells(event, FOUND) for event in events if event["request_id"] == p["request_id"]], 1, 14)


def find_trace(events, p):
    return ordered([cells(event, FOUND) for event in events if event.get("trace_id") == p["trace_id"]], 1, 14)


def ingest_paths(events, p):
    hours = {hour: len(its) for (hour,), its in group(events, unit(HOUR)).items()}
    return ordered([[hour, path, len(its), len(its) / hours[hour], count(its, failed)]
                    for (hour, path), its in group(events, unit(HOUR), "ingest_path").items()], 1, 2)


def freshness(events, p):
    return ordered([[
        path, len(its), last_at(its), time(max(values(its, "ingested_at"))), seconds(last_at(its), p["to"]),
    ] for (path,), its in group(events, "ingest_path").items()], -5, 1)


def late_events(events, p):
    def row(hour, its):
        took = [seconds(event["received_at"], event["ingested_at"]) for event in its]
        late = sum(1 for it in took if it > p["late_seconds"])
        return [hour, len(its), late, percentile(took, 0.5), percentile(took, 0.99), max(took)]

    return ordered([row(hour, its) for (hour,), its in group(events, unit(HOUR)).items()], 1)


def cold_starts(events, p):
    def row(key, its):
        cold, warm = ([event for event in its if event["cold_start"] is is_cold] for is_cold in (True, False))
        return [*key, len(its), len(cold), len(cold) / len(its), percentile(durations(cold), 0.5), percentile(durations(warm), 0.5)]

    its = [event for event in events if event.get("cold_start") is not None]
    region = lambda e: coalesce(e.get("region"), "(none)")
    return ordered([row(key, its) for key, its in group(its, "service", "service_version", region).items()], -5, 1, 2, 3)


def versions(events, p):
    return ordered([[
        *key, len(its), count(its, failed), count(its, failed) / len(its), percentile(durations(its), 0.5),
        percentile(durations(its), 0.95), first_at(its), last_at(its),
    ] for key, its in group(events, "environment", "service", "service_version").items()], -10, 1, 2, 3)
