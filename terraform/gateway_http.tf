# API Gateway's HTTP API, the other front door: every route is the function's, which checks the keys itself.

resource "aws_apigatewayv2_api" "this" {
  count = local.rest ? 0 : 1

  name                         = local.name
  description                  = "Daybook: an API whose database is its request log."
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = var.domain != null
}

resource "aws_apigatewayv2_integration" "this" {
  count = local.rest ? 0 : 1

  api_id                 = aws_apigatewayv2_api.this[0].id
  integration_type       = "AWS_PROXY"
  integration_uri        = module.ingest.arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 29000
}

locals {
  # With an authorizer, what is open needs a route of its own.
  http_routes = local.rest ? {} : merge(
    { "$default" = false },
    var.authorizer == null ? {} : { "OPTIONS /{proxy+}" = true },
    var.authorizer == null ? {} : { for path in local.open_paths : "ANY ${path}" => true },
  )
}

resource "aws_apigatewayv2_route" "this" {
  #checkov:skip=CKV_AWS_309:without an authorizer the function asks for a key
  for_each = local.http_routes

  api_id             = aws_apigatewayv2_api.this[0].id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type = !each.value && var.authorizer != null ? "JWT" : "NONE"
  authorizer_id      = !each.value && var.authorizer != null ? aws_apigatewayv2_authorizer.this[0].id : null
}

resource "aws_apigatewayv2_stage" "this" {
  count = local.rest ? 0 : 1

  api_id      = aws_apigatewayv2_api.this[0].id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit    = var.api.throttle.requests_per_second
    throttling_burst_limit   = var.api.throttle.burst
    detailed_metrics_enabled = false
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.gateway[0].arn
    format          = local.access_log_format
  }
}

# This front door can write its log to a log group alone; from there it goes on to the same stream.
resource "aws_cloudwatch_log_group" "gateway" {
  #checkov:skip=CKV_AWS_338:kept in the bucket; here only until it has got there
  #checkov:skip=CKV_AWS_158:encrypted with AWS's key unless there is one of the installation's own
  count = local.rest ? 0 : 1

  name              = "/aws/apigateway/${local.name}"
  retention_in_days = 3
  kms_key_id        = local.key_arn
}

resource "aws_cloudwatch_log_subscription_filter" "gateway" {
  count = local.rest ? 0 : 1

  name            = "${local.name}-gateway"
  log_group_name  = aws_cloudwatch_log_group.gateway[0].name
  filter_pattern  = ""
  destination_arn = aws_kinesis_firehose_delivery_stream.this["gateway"].arn
  role_arn        = aws_iam_role.subscription[0].arn

  depends_on = [aws_iam_role_policy.subscription]
}

resource "aws_iam_role" "subscription" {
  count = local.rest ? 0 : 1

  name               = "${local.regional}-subscription"
  assume_role_policy = local.trust.subscription
}

resource "aws_iam_role_policy" "subscription" {
  count = local.rest ? 0 : 1

  name   = "send-lines"
  role   = aws_iam_role.subscription[0].id
  policy = local.policy.send_gateway_log
}
