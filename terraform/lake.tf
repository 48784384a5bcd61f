# The catalog. The compactor makes the table requests and alone writes to it: Terraform could not evolve one.

resource "aws_glue_catalog_database" "this" {
  name         = local.database
  description  = "Daybook: every request of the installation ${local.name}."
  location_uri = "s3://${local.bucket}/lake/"
}

# The raw objects as they lie there: seconds old, duplicates included. Places are reckoned, not listed.
resource "aws_glue_catalog_table" "raw_events" {
  name          = "raw_events"
  database_name = aws_glue_catalog_database.this.name
  description   = "Every raw object as it lies in the bucket, duplicates included."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    "EXTERNAL"                    = "TRUE"
    "classification"              = "json"
    "projection.enabled"          = "true"
    "projection.dt.type"          = "date"
    "projection.dt.format"        = "yyyy-MM-dd"
    "projection.dt.range"         = "2025-01-01,NOW+1DAYS"
    "projection.dt.interval"      = "1"
    "projection.dt.interval.unit" = "DAYS"
    "projection.hour.type"        = "integer"
    "projection.hour.range"       = "0,23"
    "projection.hour.digits"      = "2"
    "storage.location.template"   = "s3://${local.bucket}/raw/dt=$${dt}/hour=$${hour}/"
  }

  partition_keys {
    name = "dt"
    type = "string"
  }

  partition_keys {
    name = "hour"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${local.bucket}/raw/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"
      parameters            = { "ignore.malformed.json" = "true" }
    }

    dynamic "columns" {
      for_each = local.raw_columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}

# Glue keeps the table in shape: small files, old snapshots, files that nobody names. The table must be there, so this
# is switched on after the compactor's first run, or by the invocation below, which is one.
resource "aws_lambda_invocation" "first_run" {
  count = var.lake.optimizer ? 1 : 0

  function_name = module.compactor.name
  input         = jsonencode({ action = "compact" })

  depends_on = [aws_glue_catalog_database.this, aws_s3_bucket_policy.this]
}

resource "aws_glue_catalog_table_optimizer" "this" {
  for_each = toset(var.lake.optimizer ? ["compaction", "retention", "orphan_file_deletion"] : [])

  catalog_id    = local.account
  database_name = aws_glue_catalog_database.this.name
  table_name    = "requests"
  type          = each.key

  configuration {
    enabled  = true
    role_arn = aws_iam_role.optimizer[0].arn

    dynamic "compaction_configuration" {
      for_each = each.key == "compaction" ? [true] : []

      content {
        iceberg_configuration {
          strategy = "binpack"
        }
      }
    }

    dynamic "retention_configuration" {
      for_each = each.key == "retention" ? [true] : []

      content {
        iceberg_configuration {
          snapshot_retention_period_in_days = var.lake.snapshot_days
          number_of_snapshots_to_retain     = 10
          clean_expired_files               = true
        }
      }
    }

    dynamic "orphan_file_deletion_configuration" {
      for_each = each.key == "orphan_file_deletion" ? [true] : []

      content {
        iceberg_configuration {
          orphan_file_retention_period_in_days = var.lake.snapshot_days
          location                             = "s3://${local.bucket}/lake/${local.database}/requests/data/"
        }
      }
    }
  }

  depends_on = [aws_lambda_invocation.first_run, aws_iam_role_policy.optimizer]
}

resource "aws_iam_role" "optimizer" {
  count = var.lake.optimizer ? 1 : 0

  name               = "${local.regional}-optimizer"
  assume_role_policy = local.trust.optimizer
}

resource "aws_iam_role_policy" "optimizer" {
  for_each = var.lake.optimizer ? merge({ optimize-table = local.policy.optimize_table }, local.key_policies) : {}

  name   = each.key
  role   = aws_iam_role.optimizer[0].id
  policy = each.value
}
