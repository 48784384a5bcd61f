# What store.notify_events chooses comes from the relay. Beside it, other systems hear of every change: the states that the
# store writes go from its stream to an event bus, such as a task that is completed
# ({"detail": {"dynamodb": {"NewImage": {"status": {"S": ["completed"]}}}}}).

resource "aws_cloudwatch_event_bus" "this" {
  #checkov:skip=CKV_AWS_365:encrypted with AWS's key; the bus keeps nothing
  count = var.store.event_bus ? 1 : 0

  name        = local.name
  description = "Changes of the installation ${local.name}, as its store's stream has them."
}

resource "aws_pipes_pipe" "this" {
  count = var.store.event_bus ? 1 : 0

  name        = local.name
  description = "States of entities, from the store's stream to the bus."
  role_arn    = aws_iam_role.pipe[0].arn
  source      = aws_dynamodb_table.this.stream_arn
  target      = aws_cloudwatch_event_bus.this[0].arn

  source_parameters {
    dynamodb_stream_parameters {
      starting_position             = "LATEST"
      batch_size                    = 10
      maximum_retry_attempts        = 100
      maximum_record_age_in_seconds = 12 * 3600
      on_partial_batch_item_failure = "AUTOMATIC_BISECT"
    }

    filter_criteria {
      filter {
        pattern = jsonencode({
          eventName = ["INSERT", "MODIFY"]
          dynamodb  = { Keys = { (local.table.range_key) = { S = [local.table.state_key] } } }
        })
      }
    }
  }

  target_parameters {
    eventbridge_event_bus_parameters {
      source      = "daybook"
      detail_type = "state.changed"
    }
  }

  depends_on = [aws_iam_role_policy.pipe]
}

resource "aws_iam_role" "pipe" {
  count = var.store.event_bus ? 1 : 0

  name               = "${local.regional}-pipe"
  assume_role_policy = local.trust.pipe
}

resource "aws_iam_role_policy" "pipe" {
  for_each = var.store.event_bus ? merge({
    read-stream = local.policy.read_stream
    put-events  = local.policy.put_events
  }, local.key_policies) : {}

  name   = each.key
  role   = aws_iam_role.pipe[0].id
  policy = each.value
}
