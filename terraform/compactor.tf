# Raw objects and the gateway's log into the table, by the clock.

module "compactor" {
  source = "./modules/lambda"

  function = merge(local.function, {
    name                 = "${local.name}-compactor"
    role                 = "${local.regional}-compactor"
    description          = "Compacts the raw log into the Iceberg table."
    zip                  = local.zips["compactor"]
    zip_sha256           = local.sums["compactor"]
    memory_mb            = var.functions.compactor_memory_mb
    timeout_seconds      = var.functions.compactor_timeout_seconds
    reserved_concurrency = var.functions.compactor_reserved_concurrency

    environment = merge(local.environment, {
      DAYBOOK_BUCKET           = local.bucket
      DAYBOOK_DATABASE         = local.database
      DAYBOOK_INSTALLATION_KEY = local.installation_key
      DAYBOOK_MASK             = join(",", var.api.mask)
      DAYBOOK_COMPACT_MIN      = var.lake.compact_min
      DAYBOOK_COMPACT_WAIT     = var.lake.compact_wait
      DAYBOOK_MAX_LINE         = var.lake.max_line
    })

    policies = merge(local.key_policies, {
      read-log-and-lake   = local.policy.read_log_and_lake
      list-log-and-lake   = local.policy.list_log_and_lake
      write-lake          = local.policy.write_lake
      commit-to-catalog   = local.policy.commit_to_catalog
      keep-failed-batches = local.policy.keep_failed_batches
    })
  })

  depends_on = [terraform_data.release, terraform_data.zips]
}

# What failed twice is kept; the next run does the same work anyway.
resource "aws_lambda_function_event_invoke_config" "compactor" {
  function_name                = module.compactor.name
  maximum_retry_attempts       = 1
  maximum_event_age_in_seconds = 900

  destination_config {
    on_failure {
      destination = aws_s3_bucket.this.arn
    }
  }
}

resource "aws_scheduler_schedule_group" "this" {
  name = local.name
}

resource "aws_scheduler_schedule" "compactor" {
  #checkov:skip=CKV_AWS_297:the schedule's input is empty; there is nothing in it to encrypt
  name                = "${local.name}-compactor"
  group_name          = aws_scheduler_schedule_group.this.name
  description         = "Starts the compactor; it commits only if that is worth it."
  schedule_expression = var.lake.schedule

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.compactor.arn
    role_arn = aws_iam_role.schedule.arn
    input    = "{}"

    retry_policy {
      maximum_event_age_in_seconds = 600
      maximum_retry_attempts       = 2
    }
  }
}

resource "aws_iam_role" "schedule" {
  name               = "${local.regional}-schedule"
  assume_role_policy = local.trust.schedule
}

resource "aws_iam_role_policy" "schedule" {
  name   = "invoke-function"
  role   = aws_iam_role.schedule.id
  policy = local.policy.invoke_compactor
}
