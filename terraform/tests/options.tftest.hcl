# Each optional part, on.

variables {
  package = { directory = "tests/zips" }
}

run "an_http_api_in_front" {
  command = plan
  variables {
    frontend = "http"
  }

  assert {
    condition     = length(aws_apigatewayv2_api.this) == 1 && length(aws_api_gateway_rest_api.this) == 0 && length(aws_api_gateway_usage_plan.this) == 0
    error_message = "One front door, not two."
  }
  assert {
    condition     = keys(aws_apigatewayv2_route.this) == ["$default"] && aws_apigatewayv2_route.this["$default"].authorization_type == "NONE"
    error_message = "Everything goes to the function, which asks for the key."
  }
  assert {
    condition     = length(aws_kinesis_firehose_delivery_stream.this["gateway"].extended_s3_configuration[0].processing_configuration) == 1
    error_message = "The log that comes by way of a log group is unpacked."
  }
  assert {
    condition     = strcontains(aws_apigatewayv2_stage.this[0].access_log_settings[0].format, "$context.routeKey")
    error_message = "The log has this front door's own format."
  }
}

run "a_jwt_before_an_http_api" {
  command = plan
  variables {
    frontend   = "http"
    api_keys   = {}
    authorizer = { jwt = { issuer = "https://id.example.org/", audience = ["daybook"] } }
  }

  assert {
    condition     = aws_apigatewayv2_route.this["$default"].authorization_type == "JWT"
    error_message = "A token is asked for."
  }
  assert {
    condition     = aws_apigatewayv2_route.this["ANY /health"].authorization_type == "NONE" && aws_apigatewayv2_route.this["OPTIONS /{proxy+}"].authorization_type == "NONE"
    error_message = "Health and preflights need none."
  }
  assert {
    condition     = aws_apigatewayv2_authorizer.this[0].jwt_configuration[0].issuer == "https://id.example.org/"
    error_message = "Of this issuer."
  }
  assert {
    condition     = local.claims.tenant == "default" && local.claims.tenant_claim == "" && local.claims.scope_claim == "" && local.claims.scope_prefix == ""
    error_message = "Whose data it is must be said, or the function refuses every bearer."
  }
}

run "a_tenant_by_claim" {
  command = plan
  variables {
    frontend   = "http"
    api_keys   = {}
    authorizer = { jwt = { issuer = "https://id.example.org/", audience = ["daybook"] }, tenant_claim = "org", scope_claim = "scope", scope_prefix = "daybook/" }
  }

  assert {
    condition     = local.claims.tenant_claim == "org" && local.claims.tenant == "" && local.claims.scope_claim == "scope" && local.claims.scope_prefix == "daybook/"
    error_message = "Who has no such claim is refused, not let in as somebody else."
  }
}

run "cognito_before_a_rest_api" {
  command = plan
  variables {
    authorizer = { cognito = {} }
  }

  assert {
    condition     = local.claims.tenant == ""
    error_message = "Whose data it is is said by the key that a REST API asks for, too."
  }

  assert {
    condition     = length(aws_cognito_user_pool.this) == 1 && aws_api_gateway_authorizer.this[0].type == "COGNITO_USER_POOLS"
    error_message = "A pool is made and asked."
  }
  assert {
    condition     = aws_api_gateway_method.this["ANY /{proxy+}"].authorization == "COGNITO_USER_POOLS" && aws_api_gateway_method.this["ANY /{proxy+}"].api_key_required
    error_message = "Token and key."
  }
  assert {
    condition     = aws_api_gateway_method.this["ANY /health"].authorization == "NONE" && aws_api_gateway_method.this["OPTIONS /{proxy+}"].authorization == "NONE"
    error_message = "Health and preflights need none."
  }
}

run "a_user_pool_that_exists" {
  command = plan
  variables {
    frontend   = "http"
    authorizer = { cognito = { user_pool_arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Abc", client_ids = ["client"] } }
  }

  assert {
    condition     = length(aws_cognito_user_pool.this) == 0 && aws_apigatewayv2_authorizer.this[0].jwt_configuration[0].issuer == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Abc"
    error_message = "Nothing is made; the issuer is that pool."
  }
}

run "a_domain_with_its_certificate" {
  command = plan
  variables {
    domain = { name = "api.example.org", zone_id = "Z1" }
  }

  assert {
    condition     = length(aws_acm_certificate.this) == 1 && length(aws_route53_record.this) == 2 && output.api_endpoint == "https://api.example.org"
    error_message = "Certificate, name and address."
  }
  assert {
    condition     = aws_api_gateway_rest_api.this[0].disable_execute_api_endpoint
    error_message = "The gateway's own name is no way around it."
  }
}

run "a_domain_whose_certificate_exists" {
  command = plan
  variables {
    frontend = "http"
    domain   = { name = "api.example.org", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/x" }
  }

  assert {
    condition     = length(aws_acm_certificate.this) == 0 && length(aws_route53_record.this) == 0 && length(aws_apigatewayv2_api_mapping.this) == 1
    error_message = "Only the mapping is made."
  }
}

run "waf" {
  command = plan
  variables {
    api = { waf = {} }
  }

  assert {
    condition     = length(aws_wafv2_web_acl_association.this) == 1
    error_message = "It stands before the stage."
  }
}

run "caching_of_reads" {
  command = plan
  variables {
    api = { cache = { ttl_seconds = 30 } }
  }

  assert {
    condition     = aws_api_gateway_stage.this[0].cache_cluster_enabled && aws_api_gateway_method_settings.cached[0].method_path == "{proxy+}/GET"
    error_message = "Reads are cached, nothing else."
  }
  assert {
    condition     = !aws_api_gateway_method_settings.this[0].settings[0].caching_enabled
    error_message = "Changes are not."
  }
  assert {
    condition     = length(setsubtract(["method.request.path.proxy", "method.request.header.x-api-key", "method.request.header.Authorization", "method.request.querystring.next", "method.request.querystring.run", "method.request.querystring.from"], aws_api_gateway_integration.this["GET /{proxy+}"].cache_key_parameters)) == 0
    error_message = "Two callers, or two questions, never share an answer."
  }
}

run "a_key_of_the_installation_s_own" {
  command = apply
  variables {
    encryption = { own_key = true }
  }

  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation
    error_message = "The key is rotated."
  }
  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == aws_kms_key.this[0].arn
    error_message = "The bucket is under it."
  }
  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == aws_kms_key.this[0].arn
    error_message = "The table is under it."
  }
  assert {
    condition     = alltrue([for stream in aws_kinesis_firehose_delivery_stream.this : stream.server_side_encryption[0].key_arn == aws_kms_key.this[0].arn])
    error_message = "The streams are under it."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.delivery_key[0].policy).Statement[0].Resource == aws_kms_key.this[0].arn
    error_message = "Who delivers may use this key and no other."
  }
}

run "replicas" {
  command = plan
  variables {
    store = { replica_regions = ["eu-central-1"] }
  }

  assert {
    condition     = one(aws_dynamodb_table.this.replica).region_name == "eu-central-1" && aws_dynamodb_table.this.stream_view_type == "NEW_AND_OLD_IMAGES"
    error_message = "Another region has the store; replication wants both images."
  }
}

run "a_restored_table" {
  command = plan
  variables {
    store = { table_name = "daybook-restored" }
  }

  assert {
    condition     = aws_dynamodb_table.this.name == "daybook-restored" && strcontains(local.policy.append_to_store, ":table/daybook-restored\"")
    error_message = "Every part knows the other name."
  }
}

run "assets_for_a_week" {
  command = plan
  variables {
    store = { asset_expiry_days = 7, user_expiry_days = 0 }
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule if rule.id == "expire assets/"]).expiration[0].days == 8
    error_message = "Their contents for a day more."
  }
  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule if rule.id == "expire assets/"]).filter[0].prefix == "assets/"
    error_message = "Contents, and nothing else."
  }
}

run "assets_for_ever" {
  command = plan
  variables {
    store = { asset_expiry_days = 0 }
  }

  assert {
    condition     = !anytrue([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : strcontains(rule.id, "assets/")])
    error_message = "No rule removes contents."
  }
  assert {
    condition     = local.expiries["results/"] == 7 && local.expiries["aws/lambda/"] == 90
    error_message = "The others are as they were."
  }
}

run "an_event_bus" {
  command = plan
  variables {
    store = { event_bus = true }
  }

  assert {
    condition     = length(aws_pipes_pipe.this) == 1 && strcontains(aws_pipes_pipe.this[0].source_parameters[0].filter_criteria[0].filter[0].pattern, "\"S\":[\"S\"]")
    error_message = "States go to the bus."
  }
  assert {
    condition     = length(local.notices) == 0
    error_message = "The relay tells nobody unless it is to."
  }
}

run "notices_on_the_bus" {
  command = plan
  variables {
    store = { event_bus = true, notify_events = ["task.completed", "user.*"] }
  }

  assert {
    condition     = local.notices.DAYBOOK_EVENT_BUS == aws_cloudwatch_event_bus.this[0].name && local.notices.DAYBOOK_NOTIFY_EVENTS == "task.completed,user.*"
    error_message = "The relay knows the bus, and what to tell it of."
  }
}

run "object_lock_and_archive" {
  command = plan
  variables {
    bucket = { object_lock_days = 30, raw_archive_days = 90 }
  }

  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled && aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].days == 30
    error_message = "Objects stay."
  }
  assert {
    condition     = length([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule if startswith(rule.id, "archive")]) == 2
    error_message = "Raw objects and the gateway's log move on."
  }
}

run "glue_s_optimizers" {
  command = plan
  variables {
    lake = { optimizer = true }
  }

  assert {
    condition     = length(aws_glue_catalog_table_optimizer.this) == 3 && length(aws_lambda_invocation.first_run) == 1
    error_message = "The table is made first, then looked after."
  }
  assert {
    condition     = aws_glue_catalog_table_optimizer.this["orphan_file_deletion"].configuration[0].orphan_file_deletion_configuration[0].iceberg_configuration[0].location == "s3://daybook-123456789012-us-east-1/lake/daybook/requests/data/"
    error_message = "Only data files can be orphans: the consumed sets beside them are named by no snapshot."
  }
}

run "all_alarms_by_mail" {
  command = plan
  variables {
    monitoring = { alarms = "all", emails = ["ops@example.org"], thresholds = { latency_ms = 250 } }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) > 20 && length(aws_sns_topic_subscription.email) == 1
    error_message = "All of them, told to somebody."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["api-slow"].threshold == 250
    error_message = "Thresholds are settings."
  }
}

run "no_alarms_and_no_dashboard" {
  command = plan
  variables {
    monitoring = { alarms = "none", dashboard = false }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 0 && length(aws_sns_topic.alarms) == 0 && length(aws_cloudwatch_dashboard.this) == 0
    error_message = "Nothing watches."
  }
}

run "several_keys_with_quotas" {
  command = plan
  variables {
    api_keys = { web = { tenant = "acme" }, partner = { tenant = "globex", requests_per_day = 1000 } }
  }

  assert {
    condition     = length(aws_api_gateway_usage_plan.this) == 2 && aws_api_gateway_usage_plan.this["partner"].quota_settings[0].limit == 1000
    error_message = "A plan for each key."
  }
}

run "browsers_of_an_origin" {
  command = plan
  variables {
    api = { cors_origins = ["https://app.example.org"] }
  }

  assert {
    condition     = alltrue([for response in aws_api_gateway_gateway_response.this : response.response_parameters["gatewayresponse.header.Access-Control-Allow-Origin"] == "'https://app.example.org'"])
    error_message = "They can read the gateway's own refusals, too."
  }
  assert {
    condition     = !aws_api_gateway_method.this["OPTIONS /{proxy+}"].api_key_required
    error_message = "A preflight has no key."
  }
}

run "a_release_s_zips" {
  command = plan
  variables {
    package = { release_url = "https://github.com/o/r/releases/download/v0.1.0" }
  }

  assert {
    condition     = length(terraform_data.release) == 1 && endswith(local.zips["ingest"], "/daybook-arm64-ingest.zip")
    error_message = "They are downloaded before the functions are made."
  }
}

run "browsers_upload_from_the_api_s_own_origins" {
  command = plan
  variables {
    api = { cors_origins = ["https://app.example.org"] }
  }

  assert {
    condition     = one(aws_s3_bucket_cors_configuration.this[0].cors_rule).allowed_origins == toset(["https://app.example.org"])
    error_message = "Exact origins, those of the API."
  }
  assert {
    condition     = one(aws_s3_bucket_cors_configuration.this[0].cors_rule).allowed_methods == toset(["GET", "HEAD", "PUT"])
    error_message = "What signed URLs are for, and no more."
  }
}
