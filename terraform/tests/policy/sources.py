"""The plan against the code: variables that functions read, routes, alarms and their sections, metrics."""
import json
import re

from plan import ROOT

REPOSITORY = ROOT.parent
# Where a function's variables are read.
COMMON = ["cloud/src/lambda.rs", "cloud/src/log.rs"]
READS = {
    "ingest": ["ingest/src/aws/config.rs"],
    "relay": ["ingest/src/aws/relay/bus.rs"],
    "compactor": ["compactor/src/aws/settings.rs", "compactor/src/aws/gateway.rs"],
    "query": ["query/src/aws/function.rs"],
}
# The relay reads what ingest's file calls the targets, and of the store what recording an upload takes.
TARGETS = {"DAYBOOK_BUCKET", "DAYBOOK_FIREHOSE", "DAYBOOK_TABLE"}
RETENTION = {"DAYBOOK_EVENT_RETENTION_DAYS"}


def source(path):
    """A file of Rust without its tests."""
    return (REPOSITORY / path).read_text().split("#[cfg(test)]")[0]


def variables(plan, fail):
    for function, files in READS.items():
        text = "".join(source(path) for path in COMMON + files)
        known = set(re.findall(r'"(DAYBOOK_[A-Z_]+)"', text))
        required = set(re.findall(r'required\(\s*"(DAYBOOK_[A-Z_]+)"', text))
        if function == "ingest":
            required.add("DAYBOOK_INSTALLATION_KEY")
        if function == "relay":
            known, required = known | TARGETS | RETENTION, TARGETS | RETENTION
        given = told(plan, function)
        for name in sorted(given - known):
            fail(f"{function} is told {name}, which it does not read")
        for name in sorted(required - given):
            fail(f"{function} needs {name}, which it is not told")
    for name in ("DAYBOOK_INSTALLATION_KEY", "DAYBOOK_MASK"):
        if name not in told(plan, "ingest") or name not in told(plan, "compactor"):
            fail(f"ingest and compactor do not share {name}: they would mask differently")


def told(plan, function):
    made = plan.one(f"module.{function}.aws_lambda_function.this")
    later = (made.unknown.get("environment") or [{}])[0].get("variables") or {}
    return set(made["environment"][0]["variables"]) | (set(later) if isinstance(later, dict) else set())


def routes(plan, fail):
    """Each route of the code reaches the function; what is open there, and only that, is open at the door."""
    if not plan.has("aws_api_gateway_method"):
        return
    keys = {}
    for method in plan.all("aws_api_gateway_method"):
        name = re.search(r'\["(\w+) (.+)"\]$', method.address)
        keys[name.group(1), name.group(2)] = method["api_key_required"]
    for route in json.loads((ROOT / "generated/routes.json").read_text()):
        exact, greedy = keys.get(("ANY", route["path"])), keys.get(("ANY", "/{proxy+}"))
        needs = greedy if exact is None else exact
        if needs is None:
            fail(f"{route['path']} does not reach the function")
        elif needs == route["open"]:
            fail(f"{route['path']} is {'closed' if needs else 'open'} at the door, in the code it is not")
    integrations = {it.address.split("[")[1] for it in plan.all("aws_api_gateway_integration")}
    for method in plan.all("aws_api_gateway_method"):
        if method.address.split("[")[1] not in integrations:
            fail(f"{method.address} leads nowhere")


def alarms(plan, fail):
    """Every alarm has a section and stands for a failure; every metric of ours is one that the code counts."""
    text = (REPOSITORY / "docs/runbook.md").read_text()
    sections = set(re.findall(r"^## ([a-z-]+)$", text, flags=re.M))
    table = set(re.findall(r"`([a-z-]+)`", "".join(line for line in text.splitlines() if line.startswith("| ") and "`" in line)))
    found = {re.search(r'\["([a-z-]+)"\]$', alarm.address).group(1) for alarm in plan.all("aws_cloudwatch_metric_alarm")}
    for name in sorted(found - sections):
        fail(f"docs/runbook.md has no section {name}")
    for name in sorted((sections | table) - found):
        fail(f"docs/runbook.md names {name}, of which there is no alarm")
    for name in sorted(found - table):
        fail(f"the alarm {name} stands for no failure of the table in docs/runbook.md")
    counted = set()
    for path in ["cloud/src/lambda.rs", "ingest/src/aws/function.rs", "ingest/src/aws/relay/mod.rs",
                 "compactor/src/aws/function.rs", "query/src/aws/function.rs"]:
        counted |= set(re.findall(r'"([A-Z][A-Za-z]+)"', source(path)))
    for alarm in plan.all("aws_cloudwatch_metric_alarm"):
        if alarm["namespace"] == "Daybook" and alarm["metric_name"] not in counted:
            fail(f"{alarm.address}: no function counts {alarm['metric_name']}")
        if not alarm["alarm_description"].endswith("docs/runbook.md."):
            fail(f"{alarm.address}: does not say where to read on")
    for dashboard in plan.all("aws_cloudwatch_dashboard"):
        if dashboard["dashboard_body"] is None:
            continue
        for widget in json.loads(dashboard["dashboard_body"])["widgets"]:
            for metric in widget["properties"].get("metrics", []):
                if metric[0] == "Daybook" and metric[1] not in counted:
                    fail(f"the dashboard shows {metric[1]}, which no function counts")
