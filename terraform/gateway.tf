# The front door, whichever it is: what the other parts need to know of it, and the log that it keeps itself. Lines of
# that log whose request has no event become events of their own, so that refusals at the door are in the table, too.

locals {
  rest = var.frontend == "rest"

  # Paths that need no key, from ingest/src/http/route.rs.
  routes     = jsondecode(file("${path.module}/generated/routes.json"))
  open_paths = toset([for route in local.routes : route.path if route.open])

  # With the line feed at its end: neither the gateway nor Firehose puts one between two lines.
  access_log_format = file("${path.module}/generated/access-log-${var.frontend}.txt")

  front = {
    execution_arn = local.rest ? aws_api_gateway_rest_api.this[0].execution_arn : aws_apigatewayv2_api.this[0].execution_arn
    url           = local.rest ? aws_api_gateway_stage.this[0].invoke_url : aws_apigatewayv2_api.this[0].api_endpoint
    api_id        = local.rest ? aws_api_gateway_rest_api.this[0].id : aws_apigatewayv2_api.this[0].id
    stage         = local.rest ? aws_api_gateway_stage.this[0].stage_name : aws_apigatewayv2_stage.this[0].name

    # What CloudWatch calls the same things.
    dimensions = local.rest ? { ApiName = local.name, Stage = local.stage } : { ApiId = aws_apigatewayv2_api.this[0].id }
    metrics    = local.rest ? { server = "5XXError", client = "4XXError" } : { server = "5xx", client = "4xx" }
  }

  stage = "live"
}
