"""What schemathesis cannot know: what the schema of one parameter cannot say, and which events there must be.

Schemathesis loads it (SCHEMATHESIS_HOOKS). Every answer's event is written to the file that DAYBOOK_EVENTS names.
"""

import json
import os
import threading

import requests
import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance, use_after_free

EVENTS = open(os.environ["DAYBOOK_EVENTS"], "a", buffering=1)
LOCK = threading.Lock()
SEND = requests.Session.send


def send(session, request, **arguments):
    """Sends a request, probes of checks included, and notes the event that its answer names."""
    response = SEND(session, request, **arguments)
    with LOCK:
        EVENTS.write(response.headers.get("Daybook-Event-Id", f"none: {request.method} {request.url}") + "\n")
    return response


requests.Session.send = send


def problem(response):
    """The slug of a problem and what it names."""
    if response.status_code < 400:
        return None, set()
    body = json.loads(response.content)
    return body["type"].rsplit(":", 1)[1], {error["pointer"] for error in body.get("errors", [])}


def is_beyond_schemas(response, case):
    """Whether a refusal of what the schemas allow is told of in words: parameters that depend on each other, and texts
    that only the server can make."""
    slug, named = problem(response)
    query = dict(case.query or {})
    match (case.path, slug):
        # 256 entries to choose from may be longer than a query string.
        case (_, "uri-too-long"):
            return True
        # Drawn keys are few, so one is drawn again with another request; drawn versions are seldom those that are there.
        case (_, "idempotency-key-reused" | "idempotency-key-in-flight" | "precondition-failed"):
            return True
        # No token but the server's own is good.
        case (_, "invalid-request") if named == {"next"}:
            return "next" in query
        case (_, "invalid-request") if named == {"as_of"}:
            # One or the other; and the pattern takes days that no calendar has.
            return "version" in query or query["as_of"][8:10] in ("29", "30", "31") or query["as_of"].startswith("0000")
        case ("/random", "invalid-request"):
            # What a type does not have; one bound above the other; what a choice needs.
            return named <= {"min", "max", "length", "alphabet", "of"}
        case ("/queries/{name}", "invalid-request"):
            # Every query has parameters of its own.
            return True
    return False


@schemathesis.check
def what_is_allowed_is_accepted(ctx, response, case):
    """As `positive_data_acceptance`, which it replaces, but for what no schema can say."""
    if not (case.meta and case.meta.generation.mode.is_positive and is_beyond_schemas(response, case)):
        positive_data_acceptance(ctx, response, case)


@schemathesis.check
def what_is_forbidden_is_refused(ctx, response, case):
    """As `negative_data_rejection`, which it replaces, but for what was not carried out at all: the same key, method, path
    and body are answered as before, whatever else the request has."""
    if "idempotency-replayed" not in response.headers:
        negative_data_rejection(ctx, response, case)


@schemathesis.check
def what_is_removed_is_gone(ctx, response, case):
    """As `use_after_free`, which it replaces, but for what was: histories stay, and so do versions."""
    if not (case.path.endswith("/history") or {"version", "as_of"} & set(case.query or {})):
        use_after_free(ctx, response, case)


@schemathesis.check
def has_its_event(ctx, response, case):
    """Every request has its event, and says which."""
    if "daybook-event-id" not in response.headers:
        raise Failure(operation=case.operation.label, title="No event", message=f"{response.status_code} without an event")
