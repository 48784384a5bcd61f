# By part of the flow. bucket, table, database and workgroup are what daybook --aws --terraform reads.

output "api_endpoint" {
  description = "Where the API is."
  value       = var.domain == null ? local.front.url : "https://${var.domain.name}"

  depends_on = [aws_apigatewayv2_api_mapping.this, aws_api_gateway_method_settings.this, aws_apigatewayv2_route.this]
}

output "api_keys" {
  description = "The API keys, by id."
  value       = local.api_keys
  sensitive   = true
}

output "api_key_command" {
  description = "Prints an API key."
  value       = "terraform output -json api_keys | python3 -c 'import json, sys; print(next(iter(json.load(sys.stdin).values())))'"
}

output "cognito" {
  description = "The user pool made here, if any, and the client that signs in to it."
  value       = local.own_pool ? { user_pool_id = aws_cognito_user_pool.this[0].id, client_id = aws_cognito_user_pool_client.this[0].id } : null
}

output "domain_target" {
  description = "What the name of the domain must point at, where its zone is not Route 53's."
  value       = var.domain == null ? null : aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].target_domain_name
}

output "table" {
  description = "The store's table."
  value       = aws_dynamodb_table.this.name
}

output "event_bus" {
  description = "The bus that is told of every change, if there is one."
  value       = one(aws_cloudwatch_event_bus.this[*].arn)
}

output "bucket" {
  description = "The bucket of log and lake."
  value       = aws_s3_bucket.this.bucket
}

output "streams" {
  description = "The Firehose streams, by the prefix they deliver to."
  value       = { for prefix, stream in aws_kinesis_firehose_delivery_stream.this : prefix => stream.name }
}

output "database" {
  description = "The Glue database of requests and raw_events."
  value       = aws_glue_catalog_database.this.name
}

output "workgroup" {
  description = "Athena's workgroup."
  value       = aws_athena_workgroup.this.name
}

output "functions" {
  description = "The functions, by what they do."
  value = {
    ingest    = module.ingest.name
    relay     = module.relay.name
    compactor = module.compactor.name
    query     = module.query.name
  }
}

output "installation_key" {
  description = "The installation's key. Keep a copy outside the state: without it, masks of old and new events do not join."
  value       = local.installation_key
  sensitive   = true
}

output "dashboard_url" {
  description = "The dashboard."
  value       = var.monitoring.dashboard ? "https://${local.region}.console.aws.amazon.com/cloudwatch/home?region=${local.region}#dashboards/dashboard/${local.regional}" : null
}

output "alarms" {
  description = "The alarms, by their section of docs/runbook.md."
  value       = { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.arn }
}

output "alarm_topic" {
  description = "Where alarms are told."
  value       = one(aws_sns_topic.alarms[*].arn)
}
