"""What holds for every part: locked down, kept for a time, named for its installation, free while idle."""
import json

# Billed by the hour or the month, used or not.
BILLED = [
    "aws_kms_key", "aws_wafv2_web_acl", "aws_route53_zone", "aws_secretsmanager_secret", "aws_nat_gateway", "aws_vpc_endpoint",
    "aws_lambda_provisioned_concurrency_config", "aws_kinesis_stream", "aws_cloudwatch_composite_alarm", "aws_s3_bucket_metric",
]
FREE_ALARMS, FREE_DASHBOARDS = 10, 3
# The argument that is a thing's name.
NAMES = {
    "aws_s3_bucket": "bucket", "aws_dynamodb_table": "name", "aws_lambda_function": "function_name", "aws_iam_role": "name",
    "aws_kinesis_firehose_delivery_stream": "name", "aws_cloudwatch_log_group": "name", "aws_glue_catalog_database": "name",
    "aws_athena_workgroup": "name", "aws_scheduler_schedule": "name", "aws_scheduler_schedule_group": "name",
    "aws_cloudwatch_metric_alarm": "alarm_name", "aws_cloudwatch_dashboard": "dashboard_name", "aws_sns_topic": "name",
    "aws_api_gateway_rest_api": "name", "aws_apigatewayv2_api": "name", "aws_api_gateway_usage_plan": "name",
    "aws_api_gateway_api_key": "name", "aws_wafv2_web_acl": "name", "aws_cognito_user_pool": "name", "aws_kms_alias": "name",
    "aws_cloudwatch_event_bus": "name", "aws_pipes_pipe": "name",
}
# Not the region's but the account's, or the world's.
GLOBAL = {"aws_s3_bucket", "aws_iam_role", "aws_cloudwatch_dashboard"}


def check(plan, fail):
    buckets(plan, fail)
    logs(plan, fail)
    functions(plan, fail)
    encrypted(plan, fail)


def buckets(plan, fail):
    for bucket in plan.all("aws_s3_bucket"):
        for type, name in [
            ("aws_s3_bucket_public_access_block", "public access"), ("aws_s3_bucket_versioning", "versions"),
            ("aws_s3_bucket_server_side_encryption_configuration", "encryption"), ("aws_s3_bucket_policy", "TLS"),
            ("aws_s3_bucket_lifecycle_configuration", "incomplete uploads"), ("aws_s3_bucket_ownership_controls", "ACLs"),
        ]:
            if not plan.has(type):
                fail(f"{bucket.address}: nothing about {name}")
    for block in plan.all("aws_s3_bucket_public_access_block"):
        for flag in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"):
            if block[flag] is not True:
                fail(f"{block.address}: {flag} is off")
    for policy in plan.all("aws_s3_bucket_policy"):
        deny = [it for it in json.loads(policy["policy"])["Statement"] if it["Effect"] == "Deny"]
        if not any(it.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false" for it in deny):
            fail(f"{policy.address}: does not refuse requests without TLS")
        if len(deny) != len(json.loads(policy["policy"])["Statement"]):
            fail(f"{policy.address}: gives somebody rights")
    for rules in plan.all("aws_s3_bucket_lifecycle_configuration"):
        if not any(rule["abort_incomplete_multipart_upload"] for rule in rules["rule"]):
            fail(f"{rules.address}: incomplete uploads stay for ever")
        if not any((rule["filter"] or [{}])[0].get("prefix") == "assets/" and rule["expiration"] for rule in rules["rule"]):
            fail(f"{rules.address}: contents that no asset has stay for ever")
        for rule in rules["rule"]:
            prefix = (rule["filter"] or [{}])[0].get("prefix") or ""
            if rule["expiration"] and prefix.startswith(("raw/", "gateway/", "lake/", "quarantine/", "bodies/")):
                fail(f"{rules.address}: {prefix} expires, and with it the log")


def logs(plan, fail):
    for group in plan.all("aws_cloudwatch_log_group"):
        if not group["retention_in_days"]:
            fail(f"{group.address}: kept for ever")


def functions(plan, fail):
    for function in plan.all("aws_lambda_function"):
        logging = (function["logging_config"] or [{}])[0]
        if logging.get("system_log_level") != "WARN" or logging.get("log_format") != "JSON":
            fail(f"{function.address}: Lambda's own lines are billed")
        if function["runtime"] != "provided.al2023" or function["tracing_config"][0]["mode"] != "Active":
            fail(f"{function.address}: runtime or tracing")
        if function["timeout"] > 28 and "ingest" in function["function_name"]:
            fail(f"{function.address}: may take longer than the gateway waits")
    compactor = plan.one("module.compactor.aws_lambda_function.this")
    if compactor["reserved_concurrent_executions"] != 1:
        fail("the compactor runs more than once at a time")
    for permission in plan.all("aws_lambda_permission"):
        if "source_account" not in permission.values or permission["principal"] == "*":
            fail(f"{permission.address}: anybody's {permission['principal']} may call it")


def encrypted(plan, fail):
    for stream in plan.all("aws_kinesis_firehose_delivery_stream"):
        if not stream["server_side_encryption"][0]["enabled"]:
            fail(f"{stream.address}: not encrypted")
    for stage in plan.all("aws_api_gateway_method_settings"):
        if stage["settings"][0]["data_trace_enabled"]:
            fail(f"{stage.address}: bodies go to the gateway's log")


def idle(plan, fail):
    """Nothing that is billed while nobody asks anything."""
    for resource in plan.all(*BILLED):
        fail(f"{resource.address} is billed while idle")
    if len(plan.all("aws_cloudwatch_metric_alarm")) > FREE_ALARMS or len(plan.all("aws_cloudwatch_dashboard")) > FREE_DASHBOARDS:
        fail("more alarms or dashboards than an account has for nothing")
    if any(table["billing_mode"] != "PAY_PER_REQUEST" for table in plan.all("aws_dynamodb_table")):
        fail("the table is billed by the hour")
    if any(stage["cache_cluster_enabled"] for stage in plan.all("aws_api_gateway_stage")):
        fail("the cache is billed by the hour")
    if any(setting["settings"][0]["metrics_enabled"] for setting in plan.all("aws_api_gateway_method_settings")):
        fail("a metric for each method is billed")


def apart(here, there, fail, only=None):
    """Two installations have no name in common."""
    def names(plan):
        return {(it.type, it[NAMES[it.type]]) for it in plan.all(*NAMES) if only is None or it.type in only}
    for type, name in sorted(names(here) & names(there)):
        fail(f"{type} {name} is in both {here.name} and {there.name}")


def named(plan, prefix, fail):
    """Every name is the installation's."""
    for resource in plan.all(*NAMES):
        name = resource[NAMES[resource.type]]
        if prefix not in name.replace("_", "-"):
            fail(f"{resource.address} is called {name}")
