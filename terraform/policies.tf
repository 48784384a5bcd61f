# Every permission of the installation: one capability a file in policies/, and here what each is given.
# The list of docs/aws.md, "What each part may do", is what tests/policy.py holds the plan against.

locals {
  files = "${path.module}/policies"

  policy = {
    append_to_store = templatefile("${local.files}/append-to-store.json.tftpl", {
      table   = local.arn.table
      indexes = local.table.indexes[*].name
    })
    read_stream = templatefile("${local.files}/read-stream.json.tftpl", { table = local.arn.table })

    send_events = templatefile("${local.files}/send-lines.json.tftpl", {
      stream  = local.arn.raw
      actions = ["firehose:PutRecord", "firehose:PutRecordBatch"]
    })
    send_changes = templatefile("${local.files}/send-lines.json.tftpl", {
      stream  = local.arn.raw
      actions = ["firehose:PutRecordBatch"]
    })
    send_gateway_log = templatefile("${local.files}/send-lines.json.tftpl", {
      stream  = local.arn.gateway
      actions = ["firehose:PutRecord", "firehose:PutRecordBatch"]
    })

    write_fallback = templatefile("${local.files}/write-objects.json.tftpl", {
      bucket  = local.arn.bucket
      keys    = ["raw/dt=*/hour=*/fallback-*", "bodies/*", "assets/*"]
      actions = ["s3:PutObject"]
    })
    remove_assets = templatefile("${local.files}/write-objects.json.tftpl", {
      bucket  = local.arn.bucket
      keys    = ["assets/*"]
      actions = ["s3:DeleteObject"]
    })
    record_uploads = templatefile("${local.files}/record-uploads.json.tftpl", {
      table  = local.arn.table
      bucket = local.arn.bucket
    })
    write_relay_fallback = templatefile("${local.files}/write-objects.json.tftpl", {
      bucket  = local.arn.bucket
      keys    = ["raw/dt=*/hour=*/fallback-*", "quarantine/*"]
      actions = ["s3:PutObject"]
    })
    keep_notices = templatefile("${local.files}/write-objects.json.tftpl", {
      bucket  = local.arn.bucket
      keys    = ["notices/*"]
      actions = ["s3:PutObject"]
    })
    write_lake = templatefile("${local.files}/write-objects.json.tftpl", {
      bucket  = local.arn.bucket
      keys    = ["lake/*", "quarantine/*"]
      actions = ["s3:AbortMultipartUpload", "s3:PutObject"]
    })

    read_bodies = templatefile("${local.files}/read-objects.json.tftpl", {
      bucket = local.arn.bucket
      keys   = ["assets/*", "bodies/*"]
    })
    read_log_and_lake = templatefile("${local.files}/read-objects.json.tftpl", {
      bucket = local.arn.bucket
      keys   = ["raw/*", "gateway/*", "lake/*"]
    })
    read_table = templatefile("${local.files}/read-objects.json.tftpl", {
      bucket = local.arn.bucket
      keys   = ["lake/*", "raw/*"]
    })
    list_log_and_lake = templatefile("${local.files}/list-objects.json.tftpl", {
      bucket   = local.arn.bucket
      prefixes = ["raw/*", "gateway/*", "lake/*"]
    })
    list_table = templatefile("${local.files}/list-objects.json.tftpl", {
      bucket   = local.arn.bucket
      prefixes = ["lake/*", "raw/*", "results/*"]
    })

    keep_failed_batches = templatefile("${local.files}/keep-failed-batches.json.tftpl", { bucket = local.arn.bucket })
    deliver_to_bucket   = templatefile("${local.files}/deliver-to-bucket.json.tftpl", { bucket = local.arn.bucket })
    write_delivery_logs = templatefile("${local.files}/write-logs.json.tftpl", {
      group   = "${local.arn.logs}:/aws/kinesisfirehose/${local.name}"
      actions = ["logs:PutLogEvents"]
    })

    commit_to_catalog = templatefile("${local.files}/commit-to-catalog.json.tftpl", {
      catalog  = local.arn.catalog
      database = local.arn.database
      tables   = local.arn.tables
    })
    read_catalog = templatefile("${local.files}/read-catalog.json.tftpl", {
      catalog  = local.arn.catalog
      database = local.arn.database
      tables   = local.arn.tables
    })
    optimize_table = templatefile("${local.files}/optimize-table.json.tftpl", {
      bucket   = local.arn.bucket
      catalog  = local.arn.catalog
      database = local.arn.database
      tables   = local.arn.tables
      logs     = local.arn.logs
    })
    run_queries = templatefile("${local.files}/run-queries.json.tftpl", {
      workgroup = local.arn.workgroup
      bucket    = local.arn.bucket
    })

    invoke_compactor = templatefile("${local.files}/invoke-function.json.tftpl", {
      function = "${local.arn.function}:${local.name}-compactor"
    })
    invoke_query = templatefile("${local.files}/invoke-function.json.tftpl", {
      function = "${local.arn.function}:${local.name}-query"
    })
    put_events = templatefile("${local.files}/put-events.json.tftpl", {
      bus = "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/${local.name}"
    })
    use_key = local.own_key ? templatefile("${local.files}/use-key.json.tftpl", { key = local.key_arn }) : ""

    bucket = templatefile("${local.files}/bucket.json.tftpl", { bucket = local.arn.bucket, account = local.account })
    topic = templatefile("${local.files}/topic.json.tftpl", {
      topic   = "arn:${local.partition}:sns:${local.region}:${local.account}:${local.name}-alarms"
      alarms  = "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${local.name}-*"
      account = local.account
    })
  }

  # Apart from the others, some of which name the key itself.
  key_policy = templatefile("${local.files}/key.json.tftpl", {
    partition = local.partition
    region    = local.region
    account   = local.account
    groups = [
      "${local.arn.logs}:/aws/lambda/${local.name}-*",
      "${local.arn.logs}:/aws/kinesisfirehose/${local.name}",
      "${local.arn.logs}:/aws/apigateway/${local.name}",
    ]
  })

  # Who may take a role: a service, and where AWS says for whom it acts, for this account only.
  trust = {
    delivery     = templatefile("${local.files}/trust.json.tftpl", { service = "firehose.amazonaws.com", account = local.account })
    schedule     = templatefile("${local.files}/trust.json.tftpl", { service = "scheduler.amazonaws.com", account = local.account })
    pipe         = templatefile("${local.files}/trust.json.tftpl", { service = "pipes.amazonaws.com", account = local.account })
    optimizer    = templatefile("${local.files}/trust.json.tftpl", { service = "glue.amazonaws.com", account = local.account })
    subscription = templatefile("${local.files}/trust.json.tftpl", { service = "logs.amazonaws.com", account = local.account })
  }

  # What every function of an installation with a key of its own may do.
  key_policies = local.own_key ? { use-key = local.policy.use_key } : {}
}
