# What an installation is unless it says otherwise.

variables {
  package = { directory = "tests/zips" }
}

run "everything_has_the_installation_s_name" {
  command = plan

  assert {
    condition     = aws_s3_bucket.this.bucket == "daybook-123456789012-us-east-1"
    error_message = "The bucket's name has account and region: it must be unique in the world."
  }
  assert {
    condition     = aws_dynamodb_table.this.name == "daybook" && aws_athena_workgroup.this.name == "daybook"
    error_message = "Regional things are called like the installation."
  }
  assert {
    condition     = output.bucket == "daybook-123456789012-us-east-1" && output.table == "daybook" && output.database == "daybook" && output.workgroup == "daybook"
    error_message = "The command line reads these four outputs."
  }
}

run "the_store_is_what_the_code_says" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this.hash_key == "pk" && aws_dynamodb_table.this.range_key == "sk"
    error_message = "The keys are those of ingest/src/aws/table.rs."
  }
  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST" && aws_dynamodb_table.this.stream_view_type == "NEW_IMAGE"
    error_message = "On demand, and a stream of new images."
  }
  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled && aws_dynamodb_table.this.ttl[0].attribute_name == "expires"
    error_message = "Restorable, and items expire."
  }
  assert {
    condition     = one(aws_dynamodb_table.this.global_secondary_index).name == "lists"
    error_message = "One index, of lists."
  }
}

run "the_relay_keeps_what_it_cannot_relay" {
  command = plan

  assert {
    condition     = aws_lambda_event_source_mapping.relay.starting_position == "TRIM_HORIZON" && aws_lambda_event_source_mapping.relay.bisect_batch_on_function_error
    error_message = "From the oldest record, and poison is cut out."
  }
  assert {
    condition     = contains(aws_lambda_event_source_mapping.relay.function_response_types, "ReportBatchItemFailures")
    error_message = "The relay says how far it came."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.relay.maximum_record_age_in_seconds == 43200
    error_message = "Twelve hours of the stream's twenty-four."
  }
  assert {
    condition     = jsondecode(one(aws_lambda_event_source_mapping.relay.filter_criteria[0].filter).pattern).dynamodb.Keys.sk.S[0].prefix == "E#"
    error_message = "Events only."
  }
}

run "contents_are_told_of_and_expire" {
  command = plan

  assert {
    condition     = one(aws_s3_bucket_notification.assets.lambda_function).filter_prefix == "assets/" && one(aws_s3_bucket_notification.assets.lambda_function).events == toset(["s3:ObjectCreated:*"])
    error_message = "The relay is told of contents, and of nothing else."
  }
  assert {
    condition     = aws_lambda_permission.assets.principal == "s3.amazonaws.com" && aws_lambda_permission.assets.source_account == "123456789012"
    error_message = "By this account's bucket only."
  }
  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.expiration[0].days if rule.id == "expire assets/"]) == 31
    error_message = "A content has a day more than its asset."
  }
  assert {
    condition     = var.store.asset_expiry_days == 30 && var.store.user_expiry_days == 90
    error_message = "Assets for thirty days, users for ninety."
  }
  assert {
    condition     = length(aws_s3_bucket_cors_configuration.this) == 0
    error_message = "No foreign page reads or writes the bucket."
  }
}

run "lines_become_objects_where_the_compactor_looks" {
  command = plan

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.this["raw"].extended_s3_configuration[0].prefix == "raw/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    error_message = "raw/ by day and hour."
  }
  assert {
    condition     = startswith(aws_kinesis_firehose_delivery_stream.this["gateway"].name, "amazon-apigateway-")
    error_message = "API Gateway writes only to streams that are called so."
  }
  assert {
    condition     = alltrue([for stream in aws_kinesis_firehose_delivery_stream.this : stream.extended_s3_configuration[0].compression_format == "GZIP"])
    error_message = "Both in gzip."
  }
}

run "the_catalog_knows_the_raw_log" {
  command = plan

  assert {
    condition     = aws_glue_catalog_table.raw_events.storage_descriptor[0].columns[0].name == "event_id"
    error_message = "The columns come from the code."
  }
  assert {
    condition     = aws_glue_catalog_table.raw_events.parameters["storage.location.template"] == "s3://daybook-123456789012-us-east-1/raw/dt=$${dt}/hour=$${hour}/"
    error_message = "Places are reckoned from dt and hour."
  }
  assert {
    condition     = length(aws_athena_named_query.this) == length(fileset("${path.module}/../athena/queries", "*.sql")) && length(aws_athena_named_query.this) > 0
    error_message = "Every question is published."
  }
  assert {
    condition     = alltrue([for query in aws_athena_named_query.this : length(regexall("[^:]:[a-z_]+", query.query)) == 0])
    error_message = "Athena's parameters are question marks."
  }
  assert {
    condition     = aws_athena_workgroup.this.configuration[0].enforce_workgroup_configuration && aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query == 10000000000
    error_message = "What a question may read is bounded, whoever asks."
  }
}

run "the_compactor_runs_by_the_clock_and_alone" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.compactor.schedule_expression == "rate(15 minutes)"
    error_message = "Every fifteen minutes."
  }
  assert {
    condition     = module.compactor.name == "daybook-compactor"
    error_message = "It has its name."
  }
}

run "what_is_optional_is_off" {
  command = plan

  assert {
    condition = alltrue([
      length(aws_kms_key.this) == 0, length(aws_wafv2_web_acl.this) == 0, length(aws_apigatewayv2_domain_name.this) == 0,
      length(aws_cognito_user_pool.this) == 0, length(aws_glue_catalog_table_optimizer.this) == 0,
      length(aws_cloudwatch_event_bus.this) == 0, length(aws_s3_bucket_object_lock_configuration.this) == 0,
      length(aws_sns_topic_subscription.email) == 0, length(aws_dynamodb_table.this.replica) == 0,
      aws_api_gateway_stage.this[0].cache_cluster_enabled == false,
    ])
    error_message = "Nothing optional is made."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 10
    error_message = "Ten alarms: what an account has for nothing."
  }
  assert {
    condition     = aws_s3_bucket.this.force_destroy == false
    error_message = "The log is not destroyed by accident."
  }
}

# Made, so that what AWS decides is known: ids, and what is derived from the secrets.
run "secrets_are_made_once_and_shared" {
  command = apply

  assert {
    condition     = can(regex("^[0-9a-f]{64}$", nonsensitive(output.installation_key)))
    error_message = "The installation's key is 64 hex digits."
  }
  assert {
    condition     = aws_api_gateway_api_key.this["default"].value == output.api_keys["default"]
    error_message = "The gateway has the key that is given out."
  }
  assert {
    condition     = nonsensitive(local.api_key_hashes) == "default:default:${sha256(nonsensitive(output.api_keys["default"]))}"
    error_message = "The function has the key's hash and nothing else."
  }
  assert {
    condition     = aws_lambda_permission.gateway.source_arn == "${aws_api_gateway_rest_api.this[0].execution_arn}/*"
    error_message = "Only this API may call the function."
  }
  assert {
    condition     = aws_api_gateway_stage.this[0].access_log_settings[0].destination_arn == aws_kinesis_firehose_delivery_stream.this["gateway"].arn
    error_message = "The gateway's own log goes to its stream."
  }
  assert {
    condition     = endswith(aws_api_gateway_stage.this[0].access_log_settings[0].format, "\n")
    error_message = "A line of it ends in a line feed."
  }
}
