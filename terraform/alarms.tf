# One alarm for each way in which the flow can fail; docs/runbook.md has a section for each. The essential ones are ten
# metrics in all, which is what an account has for nothing. Counts that only a failure writes are absent when all is
# well: missing data is then no alarm.

locals {
  threshold = var.monitoring.thresholds

  emf = { for name in local.function_names : name => { service = name, environment = local.name } }

  lambda = { for name in local.function_names : name => { FunctionName = "${local.name}-${name}" } }

  every_alarm = {
    api-failing = {
      essential = true, namespace = "AWS/ApiGateway", metric = local.front.metrics.server, dimensions = local.front.dimensions
      statistic = "Sum", period = 60, periods = 3, of = 5, above = local.threshold.errors_per_minute
      says      = "Answers of 5xx, more than ${local.threshold.errors_per_minute} a minute."
    }
    api-slow = {
      essential = true, namespace = "AWS/ApiGateway", metric = "Latency", dimensions = local.front.dimensions
      statistic = "p99", period = 300, periods = 3, of = 3, above = local.threshold.latency_ms
      says      = "One answer in a hundred takes longer than ${local.threshold.latency_ms} ms."
    }
    ingest-failing = {
      essential = true, namespace = "AWS/Lambda", metric = "Errors", dimensions = local.lambda["ingest"]
      statistic = "Sum", period = 300, periods = 1, of = 1, above = 0
      says      = "The function ingest crashed, ran out of time or does not start."
    }
    unrecorded = {
      essential = true, namespace = "Daybook", metric = "Unrecorded", dimensions = local.emf["ingest"]
      statistic = "Sum", period = 300, periods = 1, of = 1, above = 0
      says      = "An answer left without an event: neither Firehose nor S3 took it, and it was 503."
    }
    relay-behind = {
      essential = true, namespace = "AWS/Lambda", metric = "IteratorAge", dimensions = local.lambda["relay"]
      statistic = "Maximum", period = 300, periods = 2, of = 2, above = local.threshold.iterator_age_minutes * 60000
      says      = "Changes wait for the relay longer than ${local.threshold.iterator_age_minutes} minutes; the stream keeps them for 24 hours."
    }
    delivery-behind = {
      essential = true, namespace = "AWS/Firehose", metric = "DeliveryToS3.DataFreshness", dimensions = { DeliveryStreamName = local.stream.raw }
      statistic = "Maximum", period = 300, periods = 2, of = 2, above = local.threshold.delivery_age_minutes * 60
      says      = "Lines wait in Firehose longer than ${local.threshold.delivery_age_minutes} minutes; it keeps them for 24 hours."
    }
    compaction-behind = {
      essential = true, namespace = "Daybook", metric = "CompactionLag", dimensions = local.emf["compactor"]
      statistic = "Maximum", period = 3600, periods = 1, of = 1, above = local.threshold.compaction_lag_minutes * 60
      says      = "The oldest raw object waits for the table longer than ${local.threshold.compaction_lag_minutes} minutes, or the compactor does not run.", missing = "breaching"
    }
    compactor-failing = {
      essential = true, namespace = "AWS/Lambda", metric = "Errors", dimensions = local.lambda["compactor"]
      statistic = "Sum", period = 3600, periods = 1, of = 1, above = 1
      says      = "The function compactor failed more than once in an hour."
    }
    quarantined = {
      essential = true, namespace = "Daybook", metric = "LinesQuarantined", dimensions = local.emf["compactor"]
      statistic = "Sum", period = 3600, periods = 1, of = 1, above = local.threshold.quarantined_lines
      says      = "Lines of raw objects are no events; they are kept in quarantine/."
    }
    relay-failing = {
      essential = true, namespace = "AWS/Lambda", metric = "Errors", dimensions = local.lambda["relay"]
      statistic = "Sum", period = 300, periods = 2, of = 2, above = 0
      says      = "The function relay fails as a whole; after 12 hours its records go to aws/lambda/ in the bucket."
    }

    api-refusing = {
      namespace = "AWS/ApiGateway", metric = local.front.metrics.client, dimensions = local.front.dimensions
      statistic = "Sum", period = 60, periods = 5, of = 5, above = local.threshold.refusals_per_minute
      says      = "Answers of 4xx, more than ${local.threshold.refusals_per_minute} a minute: a client is wrong, or somebody tries keys."
    }
    ingest-throttled = {
      namespace = "AWS/Lambda", metric = "Throttles", dimensions = local.lambda["ingest"]
      statistic = "Sum", period = 60, periods = 2, of = 5, above = 0
      says      = "More requests at once than the account, or the reservation, lets run."
    }
    store-throttled = {
      namespace = "AWS/DynamoDB", metric = "WriteThrottleEvents", dimensions = { TableName = local.table_name }
      statistic = "Sum", period = 60, periods = 3, of = 5, above = 0
      says      = "The table refuses writes: one partition is hot, or traffic doubled within minutes."
    }
    ingest-fallback = {
      namespace = "Daybook", metric = "FallbackWrites", dimensions = local.emf["ingest"]
      statistic = "Sum", period = 300, periods = 1, of = 1, above = local.threshold.fallback_writes
      says      = "Firehose refuses; events go to S3 one object each. Nothing is lost, but it costs."
    }
    relay-fallback = {
      namespace = "Daybook", metric = "FallbackWrites", dimensions = local.emf["relay"]
      statistic = "Sum", period = 300, periods = 1, of = 1, above = local.threshold.fallback_writes
      says      = "Firehose refuses; the relay writes its batches to S3 itself."
    }
    relay-retrying = {
      namespace = "Daybook", metric = "RelayFailures", dimensions = local.emf["relay"]
      statistic = "Sum", period = 300, periods = 2, of = 2, above = 0
      says      = "Changes could be neither relayed nor kept; they come again."
    }
    poison = {
      namespace = "Daybook", metric = "PoisonRecords", dimensions = local.emf["relay"]
      statistic = "Sum", period = 300, periods = 1, of = 1, above = 0
      says      = "Records of the stream are no changes; they are kept in quarantine/."
    }
    notices-kept = {
      namespace = "Daybook", metric = "NoticesKept", dimensions = local.emf["relay"]
      statistic = "Sum", period = 300, periods = 1, of = 1, above = 0
      says      = "The event bus did not take notices; they are kept in notices/."
    }
    gateway-log-behind = {
      namespace = "AWS/Firehose", metric = "DeliveryToS3.DataFreshness", dimensions = { DeliveryStreamName = local.stream.gateway }
      statistic = "Maximum", period = 300, periods = 2, of = 2, above = local.threshold.delivery_age_minutes * 60
      says      = "The gateway's own log waits in Firehose: refusals at the door come late to the table."
    }
    delivery-throttled = {
      namespace = "AWS/Firehose", metric = "ThrottledRecords", dimensions = { DeliveryStreamName = local.stream.raw }
      statistic = "Sum", period = 300, periods = 2, of = 2, above = 0
      says      = "Firehose's quota is reached: ask for more, or gather more lines in a record."
    }
    duplicates = {
      namespace = "Daybook", metric = "DuplicatesDropped", dimensions = local.emf["compactor"]
      statistic = "Sum", period = 3600, periods = 1, of = 1, above = local.threshold.duplicates_per_hour
      says      = "Many lines come twice: the relay, or a retry, repeats itself. The table has each once."
    }
    commits-overtaken = {
      namespace = "Daybook", metric = "CommitsOvertaken", dimensions = local.emf["compactor"]
      statistic = "Sum", period = 3600, periods = 1, of = 1, above = local.threshold.overtaken_commits_an_hour
      says      = "Somebody else commits to the table all the time: two schedules, or an optimizer."
    }
    schedule-failing = {
      namespace = "AWS/Scheduler", metric = "TargetErrorCount", dimensions = { ScheduleGroup = local.name }
      statistic = "Sum", period = 3600, periods = 1, of = 1, above = 0
      says      = "The schedule could not start the compactor."
    }
    query-failing = {
      namespace = "AWS/Lambda", metric = "Errors", dimensions = local.lambda["query"]
      statistic = "Sum", period = 300, periods = 2, of = 2, above = 0
      says      = "Named questions fail on Athena."
    }
  }

  alarms = {
    for name, alarm in local.every_alarm : name => alarm
    if var.monitoring.alarms == "all" || (var.monitoring.alarms == "essential" && try(alarm.essential, false))
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${local.name}-${each.key}"
  alarm_description = "${each.value.says} See ${each.key} in docs/runbook.md."

  namespace          = each.value.namespace
  metric_name        = each.value.metric
  dimensions         = each.value.dimensions
  statistic          = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic = startswith(each.value.statistic, "p") ? each.value.statistic : null

  period              = each.value.period
  datapoints_to_alarm = each.value.periods
  evaluation_periods  = each.value.of
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = try(each.value.missing, "notBreaching")

  alarm_actions = [aws_sns_topic.alarms[0].arn]
  ok_actions    = [aws_sns_topic.alarms[0].arn]
}

resource "aws_sns_topic" "alarms" {
  #checkov:skip=CKV_AWS_26:alarms cannot be sent to a topic under AWS's key; it is encrypted with the installation's own if there is one
  count = var.monitoring.alarms == "none" ? 0 : 1

  name              = "${local.name}-alarms"
  kms_master_key_id = local.key_arn
}

resource "aws_sns_topic_policy" "alarms" {
  count = var.monitoring.alarms == "none" ? 0 : 1

  arn    = aws_sns_topic.alarms[0].arn
  policy = local.policy.topic
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.monitoring.alarms == "none" ? toset([]) : var.monitoring.emails

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = each.value
}
