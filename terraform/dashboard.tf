# The whole flow on one page, in its order.

locals {
  # Rows of the page: a heading, and the widgets side by side.
  dashboard = [
    {
      title = "Requests"
      widgets = [
        { title = "Requests and refusals", stat = "Sum", metrics = [
          ["AWS/ApiGateway", "Count", local.front.dimensions], ["AWS/ApiGateway", local.front.metrics.client, local.front.dimensions],
          ["AWS/ApiGateway", local.front.metrics.server, local.front.dimensions],
        ] },
        { title = "Latency, ms: average, p50, p95, p99", stat = "Average", metrics = [
          for stat in ["Average", "p50", "p95", "p99"] : ["AWS/ApiGateway", "Latency", local.front.dimensions, stat]
        ] },
        { title = "Errors, of all requests", stat = "Average", metrics = [
          ["AWS/ApiGateway", local.front.metrics.server, local.front.dimensions], ["AWS/ApiGateway", local.front.metrics.client, local.front.dimensions],
        ] },
      ]
    },
    {
      title = "Functions"
      widgets = [
        { title = "Duration, ms: p50 and p99 of ingest, p99 of the others", stat = "p99", metrics = concat(
          [["AWS/Lambda", "Duration", local.lambda["ingest"], "p50"]],
          [for name in local.function_names : ["AWS/Lambda", "Duration", local.lambda[name], "p99"]],
        ) },
        { title = "Failures and throttles", stat = "Sum", metrics = concat(
          [for name in local.function_names : ["AWS/Lambda", "Errors", local.lambda[name]]],
          [for name in local.function_names : ["AWS/Lambda", "Throttles", local.lambda[name]]],
        ) },
        { title = "Cold starts", stat = "Sum", metrics = [for name in local.function_names : ["Daybook", "ColdStarts", local.emf[name]]] },
      ]
    },
    {
      title = "Log"
      widgets = [
        { title = "Age, s: in the stream (ms), in Firehose, of the gateway's log", stat = "Maximum", metrics = [
          ["AWS/Lambda", "IteratorAge", local.lambda["relay"]],
          ["AWS/Firehose", "DeliveryToS3.DataFreshness", { DeliveryStreamName = local.stream.raw }],
          ["AWS/Firehose", "DeliveryToS3.DataFreshness", { DeliveryStreamName = local.stream.gateway }],
        ] },
        { title = "Roads around: fallback writes, poison, unrecorded", stat = "Sum", metrics = [
          ["Daybook", "FallbackWrites", local.emf["ingest"]], ["Daybook", "FallbackWrites", local.emf["relay"]],
          ["Daybook", "RelayFailures", local.emf["relay"]], ["Daybook", "PoisonRecords", local.emf["relay"]],
          ["Daybook", "Unrecorded", local.emf["ingest"]],
        ] },
        { title = "Lines relayed, answers given again", stat = "Sum", metrics = [
          ["Daybook", "RelayedLines", local.emf["relay"]], ["Daybook", "IdempotentReplays", local.emf["ingest"]],
        ] },
      ]
    },
    {
      title = "Table"
      widgets = [
        { title = "Compaction lag, s", stat = "Maximum", metrics = [["Daybook", "CompactionLag", local.emf["compactor"]]] },
        { title = "Rows written, duplicates dropped, lines in quarantine", stat = "Sum", metrics = [
          for metric in ["RowsWritten", "GatewayRowsWritten", "DuplicatesDropped", "LinesQuarantined"] : ["Daybook", metric, local.emf["compactor"]]
        ] },
        { title = "Commits", stat = "Sum", metrics = [
          for metric in ["Commits", "CommitsOvertaken", "ObjectsCompacted"] : ["Daybook", metric, local.emf["compactor"]]
        ] },
      ]
    },
    {
      title = "Store and questions"
      widgets = [
        { title = "Write and read units", stat = "Sum", metrics = [
          for metric in ["ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits"] : ["AWS/DynamoDB", metric, { TableName = local.table_name }]
        ] },
        { title = "Store: throttled", stat = "Sum", metrics = [
          for metric in ["WriteThrottleEvents", "ReadThrottleEvents"] : ["AWS/DynamoDB", metric, { TableName = local.table_name }]
        ] },
        { title = "Athena: bytes read", stat = "Sum", metrics = [
          ["Daybook", "BytesScanned", local.emf["query"]], ["AWS/Athena", "ProcessedBytes", { WorkGroup = local.name }],
        ] },
      ]
    },
  ]

  widgets = flatten([
    for row, part in local.dashboard : concat(
      [{ type = "text", x = 0, y = row * 7, width = 24, height = 1, properties = { markdown = "## ${part.title}" } }],
      [for column, widget in part.widgets : {
        type = "metric", x = column * 8, y = row * 7 + 1, width = 8, height = 6
        properties = {
          title  = widget.title
          region = local.region
          view   = "timeSeries"
          stat   = widget.stat
          period = 300
          metrics = [for metric in widget.metrics : concat(
            [metric[0], metric[1]],
            flatten([for name, value in metric[2] : [name, value]]),
            length(metric) > 3 ? [{ stat = metric[3] }] : [],
          )]
        }
      }],
    )
  ])
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.monitoring.dashboard ? 1 : 0

  dashboard_name = local.regional
  dashboard_body = jsonencode({ widgets = local.widgets })
}
