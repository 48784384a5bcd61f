# Lines to objects: one stream for the events, one for the gateway's own log. Both are ended by GZIP and a place by the
# hour of arrival, which is where the compactor looks.

locals {
  stream = {
    raw = "${local.name}-raw"
    # API Gateway writes only to streams that are called so.
    gateway = "amazon-apigateway-${local.name}"
  }

  arrival = "dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  #checkov:skip=CKV_AWS_240:every stream is encrypted, with AWS's key unless there is one of the installation's own
  #checkov:skip=CKV_AWS_241:see above
  for_each = local.stream

  name        = each.value
  destination = "extended_s3"

  server_side_encryption {
    enabled  = true
    key_type = local.own_key ? "CUSTOMER_MANAGED_CMK" : "AWS_OWNED_CMK"
    key_arn  = local.key_arn
  }

  extended_s3_configuration {
    role_arn            = aws_iam_role.delivery.arn
    bucket_arn          = local.arn.bucket
    prefix              = "${each.key}/${local.arrival}"
    error_output_prefix = "undelivered/${each.key}/!{firehose:error-output-type}/${local.arrival}"
    compression_format  = "GZIP"
    buffering_interval  = var.bucket.buffer_seconds
    buffering_size      = 64
    kms_key_arn         = local.key_arn

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.delivery.name
      log_stream_name = aws_cloudwatch_log_stream.delivery[each.key].name
    }

    # An HTTP API's log comes by way of a log group, packed; what is in it is unpacked to lines.
    dynamic "processing_configuration" {
      for_each = each.key == "gateway" && var.frontend == "http" ? [true] : []

      content {
        enabled = true

        processors {
          type = "Decompression"

          parameters {
            parameter_name  = "CompressionFormat"
            parameter_value = "GZIP"
          }
        }

        processors {
          type = "CloudWatchLogProcessing"

          parameters {
            parameter_name  = "DataMessageExtraction"
            parameter_value = "true"
          }
        }
      }
    }
  }

  depends_on = [aws_iam_role_policy.delivery]
}

resource "aws_cloudwatch_log_group" "delivery" {
  #checkov:skip=CKV_AWS_338:functions.log_days is the operator's; the log that counts is the bucket's
  #checkov:skip=CKV_AWS_158:encrypted with AWS's key unless there is one of the installation's own
  name              = "/aws/kinesisfirehose/${local.name}"
  retention_in_days = var.functions.log_days
  kms_key_id        = local.key_arn
}

resource "aws_cloudwatch_log_stream" "delivery" {
  for_each = local.stream

  name           = each.key
  log_group_name = aws_cloudwatch_log_group.delivery.name
}

resource "aws_iam_role" "delivery" {
  name               = "${local.regional}-delivery"
  assume_role_policy = local.trust.delivery
}

resource "aws_iam_role_policy" "delivery" {
  for_each = {
    deliver-to-bucket = local.policy.deliver_to_bucket
    write-own-logs    = local.policy.write_delivery_logs
  }

  name   = each.key
  role   = aws_iam_role.delivery.id
  policy = each.value
}

resource "aws_iam_role_policy" "delivery_key" {
  count = local.own_key ? 1 : 0

  name   = "use-key"
  role   = aws_iam_role.delivery.id
  policy = local.policy.use_key
}
