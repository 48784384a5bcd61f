# A function with a role and a log group of its own.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

locals {
  policies = "${path.module}/../../policies"
  group    = "/aws/lambda/${var.function.name}"

  capabilities = merge(
    var.function.policies,
    {
      write-own-logs = templatefile("${local.policies}/write-logs.json.tftpl", {
        group   = "${var.function.log_arn}:${local.group}"
        actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
      })
    },
    var.function.tracing ? { trace = templatefile("${local.policies}/trace.json.tftpl", {}) } : {},
  )
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_117:reaches AWS's services only; a network of its own would need endpoints that are billed by the hour
  #checkov:skip=CKV_AWS_116:what is retried goes to S3 (on-failure destination); what is called synchronously has nobody to retry it
  #checkov:skip=CKV_AWS_115:only the compactor has a concurrency of its own; the API's is the gateway's throttle
  #checkov:skip=CKV_AWS_173:encrypted with AWS's key unless there is one of the installation's own
  #checkov:skip=CKV_AWS_272:the zips are one's own build, or checked against the release's sums
  function_name = var.function.name
  description   = var.function.description
  role          = aws_iam_role.this.arn

  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.function.architecture]
  filename         = var.function.zip
  source_code_hash = var.function.zip_sha256

  memory_size                    = var.function.memory_mb
  timeout                        = var.function.timeout_seconds
  reserved_concurrent_executions = var.function.reserved_concurrency
  kms_key_arn                    = var.function.key_arn

  environment {
    variables = var.function.environment
  }

  # Lambda's own three lines an invocation would cost more than the request's share of the log.
  logging_config {
    log_format            = "JSON"
    system_log_level      = "WARN"
    application_log_level = "INFO"
    log_group             = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = var.function.tracing ? "Active" : "PassThrough"
  }

  # Not before it may do what it does.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:functions.log_days is the operator's; the log that counts is the bucket's
  #checkov:skip=CKV_AWS_158:encrypted with AWS's key unless there is one of the installation's own
  name              = local.group
  retention_in_days = var.function.log_days
  kms_key_id        = var.function.key_arn
}

resource "aws_iam_role" "this" {
  name               = var.function.role
  assume_role_policy = templatefile("${local.policies}/trust.json.tftpl", { service = "lambda.amazonaws.com", account = null })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.capabilities

  name   = each.key
  role   = aws_iam_role.this.id
  policy = each.value
}
