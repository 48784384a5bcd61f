# What the module gives, under the same names: daybook --aws --terraform reads them here.

output "api_endpoint" {
  description = "Where the API is."
  value       = module.daybook.api_endpoint
}

output "api_keys" {
  description = "The API keys, by id."
  value       = module.daybook.api_keys
  sensitive   = true
}

output "api_key_command" {
  description = "Prints an API key."
  value       = module.daybook.api_key_command
}

output "cognito" {
  description = "The user pool made here, if any, and the client that signs in to it."
  value       = module.daybook.cognito
}

output "domain_target" {
  description = "What the name of the domain must point at, where its zone is not Route 53's."
  value       = module.daybook.domain_target
}

output "table" {
  description = "The store's table."
  value       = module.daybook.table
}

output "event_bus" {
  description = "The bus that is told of every change, if there is one."
  value       = module.daybook.event_bus
}

output "bucket" {
  description = "The bucket of log and lake."
  value       = module.daybook.bucket
}

output "streams" {
  description = "The Firehose streams, by the prefix they deliver to."
  value       = module.daybook.streams
}

output "database" {
  description = "The Glue database of requests and raw_events."
  value       = module.daybook.database
}

output "workgroup" {
  description = "Athena's workgroup."
  value       = module.daybook.workgroup
}

output "functions" {
  description = "The functions, by what they do."
  value       = module.daybook.functions
}

output "installation_key" {
  description = "The installation's key. Keep a copy outside the state: without it, masks of old and new events do not join."
  value       = module.daybook.installation_key
  sensitive   = true
}

output "dashboard_url" {
  description = "The dashboard."
  value       = module.daybook.dashboard_url
}

output "alarms" {
  description = "The alarms, by their section of docs/runbook.md."
  value       = module.daybook.alarms
}

output "alarm_topic" {
  description = "Where alarms are told."
  value       = module.daybook.alarm_topic
}
