# Changes from the table's stream into the raw log, and notices of them to the bus, if it is to have them; and contents of
# assets, as S3 tells of them, into the store.

locals {
  notices = length(var.store.notify_events) == 0 ? {} : {
    DAYBOOK_EVENT_BUS     = one(aws_cloudwatch_event_bus.this[*].name)
    DAYBOOK_NOTIFY_EVENTS = join(",", var.store.notify_events)
  }
  notice_policies = length(local.notices) == 0 ? {} : {
    put-events   = local.policy.put_events
    keep-notices = local.policy.keep_notices
  }
}

module "relay" {
  source = "./modules/lambda"

  function = merge(local.function, {
    name            = "${local.name}-relay"
    role            = "${local.regional}-relay"
    description     = "Relays changes from the table's stream to the raw log."
    zip             = local.zips["relay"]
    zip_sha256      = local.sums["relay"]
    memory_mb       = var.functions.relay_memory_mb
    timeout_seconds = 60

    environment = merge(local.environment, {
      DAYBOOK_BUCKET               = local.bucket
      DAYBOOK_TABLE                = local.table_name
      DAYBOOK_FIREHOSE             = local.stream.raw
      DAYBOOK_EVENT_RETENTION_DAYS = tostring(var.store.event_retention_days)
    }, local.notices)

    policies = merge(local.key_policies, {
      read-stream         = local.policy.read_stream
      send-lines          = local.policy.send_changes
      write-fallback      = local.policy.write_relay_fallback
      keep-failed-batches = local.policy.keep_failed_batches
      record-uploads      = local.policy.record_uploads
    }, local.notice_policies)
  })

  depends_on = [terraform_data.release, terraform_data.zips]
}

resource "aws_lambda_event_source_mapping" "relay" {
  function_name     = module.relay.name
  event_source_arn  = aws_dynamodb_table.this.stream_arn
  starting_position = "TRIM_HORIZON"

  batch_size                         = var.functions.relay_batch
  maximum_batching_window_in_seconds = 1
  function_response_types            = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error     = true
  maximum_retry_attempts             = 1000
  maximum_record_age_in_seconds      = 12 * 3600

  # Events only, each once: an item that is replaced or expires is no event.
  filter_criteria {
    filter {
      pattern = jsonencode({
        eventName = ["INSERT"]
        dynamodb  = { Keys = { (local.table.range_key) = { S = [{ prefix = local.table.event_prefix }] } } }
      })
    }
  }

  # S3 keeps the records themselves; a queue would keep only where they were.
  destination_config {
    on_failure {
      destination_arn = aws_s3_bucket.this.arn
    }
  }
}
