"""Who may do what: the plan's roles against this list, action by action."""
import json
import re
from fnmatch import fnmatchcase

from plan import listed

BUCKET, TABLE, RAW, GATEWAY = "BUCKET", "TABLE", "RAW", "GATEWAY"
CATALOG, DATABASE, TABLES, WORKGROUP = "CATALOG", "DATABASE", "TABLES", "WORKGROUP"

# Every action of every role, and on what. Capitals stand for the installation's own; LOGS is the role's own log group.
LOGS = {("logs:CreateLogStream", "LOGS"), ("logs:PutLogEvents", "LOGS")}
TRACE = {("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*")}
FAILED = {("s3:PutObject", "BUCKET/aws/lambda/*"), ("s3:ListBucket", BUCKET)}
STREAM = {
    ("dynamodb:DescribeStream", "TABLE/stream/*"), ("dynamodb:GetRecords", "TABLE/stream/*"),
    ("dynamodb:GetShardIterator", "TABLE/stream/*"), ("dynamodb:ListStreams", "*"),
}
STORE = ["GetItem", "PutItem", "UpdateItem", "ConditionCheckItem", "Query", "BatchGetItem"]
ROLES = {
    "ingest": LOGS | TRACE
    | {(f"dynamodb:{action}", on) for action in STORE for on in (TABLE, "TABLE/index/lists")}
    | {("firehose:PutRecord", RAW), ("firehose:PutRecordBatch", RAW)}
    | {("s3:PutObject", f"BUCKET/{keys}") for keys in ("raw/dt=*/hour=*/fallback-*", "bodies/*", "assets/*")}
    | {("s3:GetObject", "BUCKET/assets/*"), ("s3:GetObject", "BUCKET/bodies/*"), ("s3:DeleteObject", "BUCKET/assets/*")}
    | {("lambda:InvokeFunction", "QUERY")},
    "relay": LOGS | TRACE | FAILED | STREAM
    | {("firehose:PutRecordBatch", RAW)}
    | {("dynamodb:GetItem", TABLE), ("dynamodb:PutItem", TABLE)}
    | {("s3:GetObject", "BUCKET/assets/*"), ("s3:DeleteObject", "BUCKET/assets/*")}
    | {("s3:PutObject", "BUCKET/raw/dt=*/hour=*/fallback-*"), ("s3:PutObject", "BUCKET/quarantine/*")},
    "compactor": LOGS | TRACE | FAILED
    | {("s3:GetObject", f"BUCKET/{keys}") for keys in ("raw/*", "gateway/*", "lake/*")}
    | {(action, f"BUCKET/{keys}") for action in ("s3:PutObject", "s3:AbortMultipartUpload") for keys in ("lake/*", "quarantine/*")}
    | {(f"glue:{action}", on) for action in ("GetDatabase", "GetTable", "UpdateTable", "CreateTable")
       for on in (CATALOG, DATABASE, "TABLES/requests")},
    "query": LOGS | TRACE
    | {(f"athena:{action}", WORKGROUP) for action in
       ("StartQueryExecution", "GetQueryExecution", "GetQueryResults", "StopQueryExecution")}
    | {(f"glue:{action}", on) for action in ("GetDatabase", "GetTable", "GetPartitions") for on in (CATALOG, DATABASE, "TABLES/*")}
    | {("s3:GetObject", f"BUCKET/{keys}") for keys in ("lake/*", "raw/*", "results/*")}
    | {(f"s3:{action}", "BUCKET/results/*") for action in ("PutObject", "AbortMultipartUpload", "ListMultipartUploadParts")}
    | {(f"s3:{action}", BUCKET) for action in ("ListBucket", "GetBucketLocation", "ListBucketMultipartUploads")},
    "delivery": {("logs:PutLogEvents", "LOGS")}
    | {(f"s3:{action}", BUCKET) for action in ("ListBucket", "GetBucketLocation", "ListBucketMultipartUploads")}
    | {(f"s3:{action}", f"BUCKET/{keys}") for action in ("PutObject", "GetObject", "AbortMultipartUpload")
       for keys in ("raw/*", "gateway/*", "undelivered/*")},
    "schedule": {("lambda:InvokeFunction", "COMPACTOR")},
    "subscription": {("firehose:PutRecord", GATEWAY), ("firehose:PutRecordBatch", GATEWAY)},
    "pipe": STREAM | {("events:PutEvents", "BUS")},
    # The one role that may delete anything of the log's, and only under lake/: that is its work.
    "optimizer": {(f"s3:{action}", "BUCKET/lake/*") for action in ("GetObject", "PutObject", "DeleteObject")}
    | {("s3:ListBucket", BUCKET)}
    | {(f"glue:{action}", on) for action in ("GetTable", "UpdateTable") for on in (CATALOG, DATABASE, "TABLES/requests")}
    | {(f"logs:{action}", f"GLUE/{kind}/logs:*") for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")
       for kind in ("iceberg-compaction", "iceberg-retention", "iceberg-orphan-file-deletion")},
}
# What a role may only where an option asks for it.
OPTIONAL = {"relay": {("events:PutEvents", "BUS"), ("s3:PutObject", "BUCKET/notices/*")}}
# A listing is bounded by prefix, but where AWS looks without one.
WHOLE_LISTING = {"keep-failed-batches", "deliver-to-bucket", "optimize-table"}
# What AWS offers no narrower resource for.
EVERYWHERE = {"dynamodb:ListStreams", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}


def check(plan, fail):
    roles = {role["name"]: role for role in plan.all("aws_iam_role")}
    granted = {name: set() for name in roles}
    for policy in plan.all("aws_iam_role_policy"):
        role = role_of(policy, plan)
        if policy["policy"] is None:
            if policy["name"] != "use-key":
                fail(f"{policy.address}: its document is not known in the plan")
            continue
        for statement in json.loads(policy["policy"])["Statement"]:
            check_statement(policy, statement, fail)
            for action in listed(statement["Action"]):
                granted[role] |= {(action, on) for on in listed(statement["Resource"])}
    for name, grants in granted.items():
        part = next((part for part in ROLES if name.endswith(f"-{part}")), None)
        if part is None:
            fail(f"the role {name} is not in the list")
            continue
        found = {(action, short(on, name)) for action, on in grants}
        for action, on in sorted(found - ROLES[part] - OPTIONAL.get(part, set())):
            fail(f"{name} may {action} on {on}, which is not in the list")
        for action, on in sorted(ROLES[part] - found):
            fail(f"{name} may not {action} on {on}, which it needs")
    check_trust(roles.values(), fail)


def check_statement(policy, statement, fail):
    for action in listed(statement["Action"]):
        if "*" in action:
            fail(f"{policy.address}: {action}")
        if "*" in listed(statement["Resource"]) and action not in EVERYWHERE:
            fail(f"{policy.address}: {action} on everything")
        if action == "s3:ListBucket" and "Condition" not in statement and policy["name"] not in WHOLE_LISTING:
            fail(f"{policy.address}: lists the whole bucket")


def check_trust(roles, fail):
    for role in roles:
        for statement in json.loads(role["assume_role_policy"])["Statement"]:
            service = statement["Principal"].get("Service")
            if service is None or list(statement["Principal"]) != ["Service"]:
                fail(f"{role.address}: taken by {statement['Principal']}")
            # Lambda says for no account that it acts; who may pass it the role is the account's to say.
            if service != "lambda.amazonaws.com" and "aws:SourceAccount" not in json.dumps(statement.get("Condition")):
                fail(f"{role.address}: {service} may take it for any account")


def role_of(policy, plan):
    """The role's name: where its id is not known yet, the role that has the policy's place in the configuration."""
    place = policy.address.rsplit(".aws_iam_role_policy.", 1)
    if len(place) == 2:
        return plan.one(f"{place[0]}.aws_iam_role.this")["name"]
    label = re.sub(r"\[.*", "", policy.address.removeprefix("aws_iam_role_policy.")).removesuffix("_key")
    found = [role for role in plan.all("aws_iam_role") if re.sub(r"\[.*", "", role.address) == f"aws_iam_role.{label}"]
    assert len(found) == 1, policy.address
    return found[0]["name"]


def short(arn, role):
    """An ARN of the installation in the words of the list."""
    patterns = [
        ("arn:aws:s3:::*", BUCKET), ("arn:aws:dynamodb:*:table/*", TABLE),
        ("arn:aws:firehose:*:deliverystream/amazon-apigateway-*", GATEWAY), ("arn:aws:firehose:*:deliverystream/*-raw", RAW),
        ("arn:aws:glue:*:catalog", CATALOG), ("arn:aws:glue:*:database/*", DATABASE), ("arn:aws:glue:*:table/*", TABLES),
        ("arn:aws:athena:*:workgroup/*", WORKGROUP), ("arn:aws:logs:*:log-group:/aws-glue/*", "GLUE"),
        ("arn:aws:logs:*:log-group:*:log-stream:[*]", "LOGS"), ("arn:aws:lambda:*-compactor", "COMPACTOR"),
        ("arn:aws:lambda:*-query", "QUERY"),
        ("arn:aws:events:*:event-bus/*", "BUS"),
    ]
    for pattern, word in patterns:
        if not fnmatchcase(arn, pattern):
            continue
        if word in (BUCKET, TABLE):
            _, slash, rest = arn.split(":", 5)[5].removeprefix("table/").partition("/")
            return word + slash + rest
        if word == TABLES:
            return f"TABLES/{arn.rsplit('/', 1)[1]}"
        if word == "GLUE":
            return "GLUE/" + arn.split("/aws-glue/", 1)[1]
        if word == "LOGS":
            own = role.rsplit("-", 1)[1]
            group = arn.split(":log-group:", 1)[1]
            return "LOGS" if group.startswith("/aws/kinesisfirehose/") == (own == "delivery") and (own == "delivery" or f"-{own}:" in group) else arn
        return word
    return arn
