"""Holds plans of Terraform's, as JSON, against what must be true of every installation.

    python3 terraform/tests/policy

Asks `terraform`, or the program that TERRAFORM_OFFLINE names, for the plans. Needs nothing but Python.
"""
import sys

import parts
import permissions
import sources
from plan import ROOT, plan

ZIPS = {"directory": "tests/zips"}
OPTIONS = {
    "http": {"frontend": "http"},
    "http-jwt": {"frontend": "http", "api_keys": {}, "authorizer": {"jwt": {"issuer": "https://id.example.org", "audience": ["daybook"]}}},
    "cognito": {"authorizer": {"cognito": {}}},
    "domain": {"domain": {"name": "api.example.org", "zone_id": "Z1"}},
    "waf-and-cache": {"api": {"waf": {}, "cache": {}, "cors_origins": ["https://app.example.org"]}},
    "own-key": {"encryption": {"own_key": True}},
    "replicas": {"store": {"replica_regions": ["eu-central-1"]}},
    "event-bus": {"store": {"event_bus": True, "notify_events": ["task.completed"]}},
    "lock-and-optimizer": {"bucket": {"object_lock_days": 7, "raw_archive_days": 30}, "lake": {"optimizer": True}},
    "all-alarms": {"monitoring": {"alarms": "all", "emails": ["ops@example.org"]}},
    "all-alarms-http": {"frontend": "http", "monitoring": {"alarms": "all"}},
}


class Report:
    """Counts checks, keeps what failed."""

    def __init__(self):
        self.checks, self.failed = 0, []

    def hold(self, name, check, *arguments, **more):
        self.checks += 1
        before = len(self.failed)
        check(*arguments, lambda what: self.failed.append(f"{name}: {what}"), **more)
        return len(self.failed) == before

    def every(self, plan, prefix="daybook"):
        self.hold(plan.name, permissions.check, plan)
        self.hold(plan.name, parts.check, plan)
        self.hold(plan.name, parts.named, plan, prefix)
        self.hold(plan.name, sources.variables, plan)
        self.hold(plan.name, sources.routes, plan)


def main():
    report = Report()
    module = lambda name, **variables: plan(name, ROOT, package=ZIPS, **variables)
    minimal = plan("minimal", ROOT / "examples/minimal", release_url="https://example.org/releases/v1", region="us-east-1")
    complete = plan("complete", ROOT / "examples/complete", zips=str(ROOT / "tests/zips"))
    plain = module("plain")
    report.every(minimal)
    report.hold("minimal", parts.idle, minimal)
    report.every(plain)
    report.hold("plain", parts.idle, plain)
    for name, variables in OPTIONS.items():
        found = module(name, **variables)
        report.every(found)
        if name == "http":
            report.hold(name, parts.idle, found)
        if name.startswith("all-alarms"):
            report.hold(name, sources.alarms, found)
    report.every(complete)
    report.hold("complete", sources.alarms, complete)
    other = module("other", name_prefix="acme-staging")
    report.hold("two prefixes", parts.apart, plain, other)
    abroad = plan("abroad", ROOT / "examples/minimal", release_url="https://example.org/releases/v1", region="eu-west-1")
    report.hold("two regions", parts.apart, minimal, abroad, only=parts.GLOBAL)
    for what in report.failed:
        print(what, file=sys.stderr)
    print(f"terraform/tests/policy: {report.checks} checks of {len(OPTIONS) + 5} plans, {len(report.failed)} found wrong")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
