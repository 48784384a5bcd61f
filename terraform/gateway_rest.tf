# API Gateway's REST API. Every path and method goes to the function, so that every request is recorded; the gateway
# itself answers only what it refuses: no key, too many requests, too large.

resource "aws_api_gateway_rest_api" "this" {
  #checkov:skip=CKV_AWS_237:a new deployment replaces the old one on the stage; the API itself is never made anew
  count = local.rest ? 1 : 0

  name                         = local.name
  description                  = "Daybook: an API whose database is its request log."
  api_key_source               = "HEADER"
  disable_execute_api_endpoint = var.domain != null

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  needs_key     = length(var.api_keys) > 0
  authorization = local.rest && var.authorizer != null ? "COGNITO_USER_POOLS" : "NONE"

  # What tells two answers apart; with caching, each is part of the cache's key. Named questions bring their own.
  cache_headers = ["x-api-key", "Authorization", "Accept", "If-None-Match", "Origin"]
  cache_parameters = distinct(concat(
    ["limit", "next", "user_id", "status", "priority", "email", "version", "as_of", "format", "type", "run"],
    flatten([for name, question in local.statement : question.parameters]),
  ))
  cache_key = concat(
    ["method.request.path.proxy"],
    [for name in local.cache_headers : "method.request.header.${name}"],
    [for name in local.cache_parameters : "method.request.querystring.${name}"],
  )

  # The gateway's methods: where they lie, and whether anybody may use them. OPTIONS asks what a browser may do, before
  # it has a key to show.
  methods = !local.rest ? {} : merge(
    {
      "ANY /"             = { resource = "/", method = "ANY", open = false, cached = false }
      "ANY /{proxy+}"     = { resource = "/{proxy+}", method = "ANY", open = false, cached = false }
      "OPTIONS /"         = { resource = "/", method = "OPTIONS", open = true, cached = false }
      "OPTIONS /{proxy+}" = { resource = "/{proxy+}", method = "OPTIONS", open = true, cached = false }
    },
    var.api.cache == null ? {} : {
      "GET /{proxy+}" = { resource = "/{proxy+}", method = "GET", open = false, cached = true }
    },
    { for path in local.open_paths : "ANY ${path}" => { resource = path, method = "ANY", open = true, cached = false } },
  )

  resource_ids = !local.rest ? {} : merge(
    { "/" = aws_api_gateway_rest_api.this[0].root_resource_id, "/{proxy+}" = aws_api_gateway_resource.proxy[0].id },
    { for path, resource in aws_api_gateway_resource.open : path => resource.id },
  )
}

resource "aws_api_gateway_resource" "proxy" {
  count = local.rest ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.this[0].id
  parent_id   = aws_api_gateway_rest_api.this[0].root_resource_id
  path_part   = "{proxy+}"
}

# A path of its own for what is open: one step from the root, which is all that such routes have.
resource "aws_api_gateway_resource" "open" {
  for_each = local.rest ? local.open_paths : toset([])

  rest_api_id = aws_api_gateway_rest_api.this[0].id
  parent_id   = aws_api_gateway_rest_api.this[0].root_resource_id
  path_part   = trimprefix(each.key, "/")
}

resource "aws_api_gateway_method" "this" {
  #checkov:skip=CKV_AWS_59:a key or an authorizer is asked for wherever it can be; preflights and /health have neither
  #checkov:skip=CKV2_AWS_53:the function validates, and records what it refuses
  for_each = local.methods

  rest_api_id      = aws_api_gateway_rest_api.this[0].id
  resource_id      = local.resource_ids[each.value.resource]
  http_method      = each.value.method
  authorization    = each.value.open ? "NONE" : local.authorization
  authorizer_id    = !each.value.open && local.authorization != "NONE" ? aws_api_gateway_authorizer.this[0].id : null
  api_key_required = !each.value.open && local.needs_key

  # Named for the cache's key alone; none is required.
  request_parameters = each.value.cached ? { for name in local.cache_key : name => name == "method.request.path.proxy" } : {}
}

resource "aws_api_gateway_integration" "this" {
  for_each = local.methods

  rest_api_id             = aws_api_gateway_rest_api.this[0].id
  resource_id             = local.resource_ids[each.value.resource]
  http_method             = aws_api_gateway_method.this[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = module.ingest.invoke_arn
  timeout_milliseconds    = 29000
  cache_key_parameters    = each.value.cached ? local.cache_key : []
}

locals {
  # What the gateway answers by itself, in the API's own form of a problem.
  problems = !local.rest ? {} : {
    DEFAULT_4XX                  = { status = null, type = "invalid-request", title = "Invalid request" }
    DEFAULT_5XX                  = { status = null, type = "internal-error", title = "Internal error" }
    INVALID_API_KEY              = { status = "401", type = "unauthenticated", title = "Not authenticated" }
    UNAUTHORIZED                 = { status = "401", type = "unauthenticated", title = "Not authenticated" }
    ACCESS_DENIED                = { status = "403", type = "forbidden", title = "Forbidden" }
    WAF_FILTERED                 = { status = "403", type = "forbidden", title = "Forbidden" }
    THROTTLED                    = { status = "429", type = "too-many-requests", title = "Too many requests" }
    QUOTA_EXCEEDED               = { status = "429", type = "too-many-requests", title = "Too many requests" }
    REQUEST_TOO_LARGE            = { status = "413", type = "content-too-large", title = "Content too large" }
    INTEGRATION_TIMEOUT          = { status = "504", type = "outcome-unknown", title = "Outcome unknown" }
    INTEGRATION_FAILURE          = { status = "503", type = "unavailable", title = "Unavailable" }
    UNSUPPORTED_MEDIA_TYPE       = { status = "415", type = "unsupported-media-type", title = "Unsupported media type" }
    MISSING_AUTHENTICATION_TOKEN = { status = "404", type = "not-found", title = "Not found" }
  }

  # Such an answer cannot look at the request's origin: browsers of the first origin can read it, those of others see
  # that there was one.
  problem_headers = merge(
    {
      "gatewayresponse.header.Content-Type"  = "'application/problem+json'"
      "gatewayresponse.header.Cache-Control" = "'no-store'"
      "gatewayresponse.header.X-Request-Id"  = "context.requestId"
    },
    length(var.api.cors_origins) == 0 ? {} : {
      "gatewayresponse.header.Access-Control-Allow-Origin"   = "'${var.api.cors_origins[0]}'"
      "gatewayresponse.header.Access-Control-Expose-Headers" = "'Retry-After, X-Request-Id'"
      "gatewayresponse.header.Vary"                          = "'Origin'"
    },
  )
}

resource "aws_api_gateway_gateway_response" "this" {
  for_each = local.problems

  rest_api_id   = aws_api_gateway_rest_api.this[0].id
  response_type = each.key
  status_code   = each.value.status

  response_parameters = merge(
    local.problem_headers,
    contains(["THROTTLED", "INTEGRATION_FAILURE"], each.key) ? { "gatewayresponse.header.Retry-After" = "'1'" } : {},
  )

  response_templates = {
    # messageString comes with its quotation marks.
    "application/json" = join("", [
      "{\"type\":\"urn:daybook:problem:${each.value.type}\",\"title\":\"${each.value.title}\",",
      each.value.status == null ? "" : "\"status\":${each.value.status},",
      "\"detail\":$context.error.messageString,\"request_id\":\"$context.requestId\",\"message\":$context.error.messageString}",
    ])
  }
}

resource "aws_api_gateway_deployment" "this" {
  count = local.rest ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.this[0].id

  # A deployment is a copy: another one is made whenever anything in it is another.
  triggers = {
    content = sha256(jsonencode([
      local.methods, local.problems, local.problem_headers, local.cache_key, local.authorization, local.needs_key,
      module.ingest.invoke_arn, var.domain != null, aws_api_gateway_authorizer.this[*].id, values(aws_api_gateway_resource.open)[*].id,
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_api_gateway_integration.this, aws_api_gateway_gateway_response.this]
}

resource "aws_api_gateway_stage" "this" {
  #checkov:skip=CKV_AWS_73:on unless functions.tracing switches it off
  #checkov:skip=CKV2_AWS_77:the group of rules is there, see waf.tf; checkov does not follow a list of groups
  #checkov:skip=CKV_AWS_120:caching is a switch (api.cache): a cache is billed by the hour
  #checkov:skip=CKV2_AWS_29:WAF is a switch (api.waf): it is billed by the month
  #checkov:skip=CKV2_AWS_51:clients prove themselves by key or token, not by certificate
  #checkov:skip=CKV2_AWS_4:the gateway's execution log needs a role of the whole account, which two installations would fight over; the access log says what the alarms need
  count = local.rest ? 1 : 0

  rest_api_id           = aws_api_gateway_rest_api.this[0].id
  deployment_id         = aws_api_gateway_deployment.this[0].id
  stage_name            = local.stage
  xray_tracing_enabled  = var.functions.tracing
  cache_cluster_enabled = var.api.cache != null
  cache_cluster_size    = try(var.api.cache.gigabytes, null)

  access_log_settings {
    destination_arn = aws_kinesis_firehose_delivery_stream.this["gateway"].arn
    format          = local.access_log_format
  }
}

resource "aws_api_gateway_method_settings" "this" {
  #checkov:skip=CKV_AWS_225:caching is a switch (api.cache), and then for reads alone
  #checkov:skip=CKV_AWS_308:what is cached is encrypted; without caching there is nothing to encrypt
  #checkov:skip=CKV2_AWS_4:see the stage
  #checkov:skip=CKV_AWS_276:data_trace is off
  count = local.rest ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.this[0].id
  stage_name  = aws_api_gateway_stage.this[0].stage_name
  method_path = "*/*"

  settings {
    throttling_rate_limit  = var.api.throttle.requests_per_second
    throttling_burst_limit = var.api.throttle.burst
    logging_level          = "OFF"
    data_trace_enabled     = false
    # A metric for each method would be billed; those of the stage are not.
    metrics_enabled      = false
    caching_enabled      = false
    cache_data_encrypted = true
  }
}

resource "aws_api_gateway_method_settings" "cached" {
  #checkov:skip=CKV2_AWS_4:see the stage
  count = local.rest && var.api.cache != null ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.this[0].id
  stage_name  = aws_api_gateway_stage.this[0].stage_name
  method_path = "{proxy+}/GET"

  settings {
    throttling_rate_limit                      = var.api.throttle.requests_per_second
    throttling_burst_limit                     = var.api.throttle.burst
    logging_level                              = "OFF"
    data_trace_enabled                         = false
    metrics_enabled                            = false
    caching_enabled                            = true
    cache_ttl_in_seconds                       = var.api.cache.ttl_seconds
    cache_data_encrypted                       = true
    require_authorization_for_cache_control    = true
    unauthorized_cache_control_header_strategy = "SUCCEED_WITHOUT_RESPONSE_HEADER"
  }
}

# A key's share of the API.
resource "aws_api_gateway_api_key" "this" {
  for_each = local.rest ? var.api_keys : {}

  name        = "${local.name}-${each.key}"
  description = "Tenant ${each.value.tenant}."
  value       = local.api_keys[each.key]
}

resource "aws_api_gateway_usage_plan" "this" {
  for_each = local.rest ? var.api_keys : {}

  name        = "${local.name}-${each.key}"
  description = "What the key ${each.key} may ask."

  api_stages {
    api_id = aws_api_gateway_rest_api.this[0].id
    stage  = aws_api_gateway_stage.this[0].stage_name
  }

  throttle_settings {
    rate_limit  = each.value.requests_per_second
    burst_limit = each.value.burst
  }

  dynamic "quota_settings" {
    for_each = each.value.requests_per_day == null ? [] : [each.value.requests_per_day]

    content {
      limit  = quota_settings.value
      period = "DAY"
    }
  }
}

resource "aws_api_gateway_usage_plan_key" "this" {
  for_each = aws_api_gateway_api_key.this

  key_id        = each.value.id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.this[each.key].id
}
