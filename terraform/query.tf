# Who asks: a workgroup that bounds what a question may read, the named questions, and the function that asks them. It is
# called by ingest for /queries, and by whoever else may invoke it.

locals {
  queries     = "${path.module}/../athena/queries"
  query_files = fileset(local.queries, "*.sql")

  # A question's parameters, :name in our files, are ? in Athena; the order is told in the description.
  statement = {
    for file in local.query_files : trimsuffix(file, ".sql") => {
      sql        = replace(file("${local.queries}/${file}"), "/([^:]):([a-z_]+)/", "$1?")
      question   = trimspace(regex("(?m)^-- question: (.*)$", file("${local.queries}/${file}"))[0])
      parameters = [for found in regexall("[^:]:([a-z_]+)", file("${local.queries}/${file}")) : found[0]]
    }
  }
}

resource "aws_athena_workgroup" "this" {
  name          = local.name
  description   = "Questions to the log of ${local.name}; what one may read is bounded."
  force_destroy = true

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = floor(var.lake.query_max_gigabytes * 1000000000)

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${local.bucket}/results/"
      expected_bucket_owner = local.account

      encryption_configuration {
        encryption_option = local.own_key ? "SSE_KMS" : "SSE_S3"
        kms_key_arn       = local.key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "this" {
  for_each = local.statement

  name        = each.key
  database    = aws_glue_catalog_database.this.name
  workgroup   = aws_athena_workgroup.this.name
  description = substr("${each.value.question} Parameters in order: ${join(", ", each.value.parameters)}.", 0, 1024)
  query       = each.value.sql
}

module "query" {
  source = "./modules/lambda"

  function = merge(local.function, {
    name            = "${local.name}-query"
    role            = "${local.regional}-query"
    description     = "Answers named questions with Athena."
    zip             = local.zips["query"]
    zip_sha256      = local.sums["query"]
    memory_mb       = var.functions.query_memory_mb
    timeout_seconds = 300

    environment = merge(local.environment, {
      DAYBOOK_WORKGROUP     = local.name
      DAYBOOK_DATABASE      = local.database
      DAYBOOK_REUSE_MINUTES = tostring(var.lake.reuse_minutes)
    })

    policies = merge(local.key_policies, {
      run-queries  = local.policy.run_queries
      read-catalog = local.policy.read_catalog
      read-table   = local.policy.read_table
      list-table   = local.policy.list_table
    })
  })

  depends_on = [terraform_data.release, terraform_data.zips]
}
