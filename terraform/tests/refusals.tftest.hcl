# What each variable refuses, before anything is made.

variables {
  package = { directory = "tests/zips" }
}

run "name_prefix_daybook" {
  command = plan
  variables {
    name_prefix = "Daybook"
  }
  expect_failures = [var.name_prefix]
}

run "name_prefix_long" {
  command = plan
  variables {
    name_prefix = "a-name-that-is-much-too-long"
  }
  expect_failures = [var.name_prefix]
}

run "name_prefix_hyphens" {
  command = plan
  variables {
    name_prefix = "day--book"
  }
  expect_failures = [var.name_prefix]
}

run "package_both" {
  command = plan
  variables {
    package = { directory = "x", release_url = "https://x" }
  }
  expect_failures = [var.package]
}

run "package_architecture" {
  command = plan
  variables {
    package = { architecture = "mips" }
  }
  expect_failures = [var.package]
}

run "package_url" {
  command = plan
  variables {
    package = { release_url = "http://x" }
  }
  expect_failures = [var.package]
}

run "frontend_other" {
  command = plan
  variables {
    frontend = "alb"
  }
  expect_failures = [var.frontend]
}

run "api_pattern" {
  command = plan
  variables {
    api = { cors_origins = ["https://*.example.org"] }
  }
  expect_failures = [var.api]
}

run "api_mask" {
  command = plan
  variables {
    api = { mask = ["a,b"] }
  }
  expect_failures = [var.api]
}

run "api_throttle" {
  command = plan
  variables {
    api = { throttle = { burst = 0 } }
  }
  expect_failures = [var.api]
}

run "api_cache_size" {
  command = plan
  variables {
    api = { cache = { gigabytes = "1" } }
  }
  expect_failures = [var.api]
}

run "api_cache_ttl" {
  command = plan
  variables {
    api = { cache = { ttl_seconds = 4000 } }
  }
  expect_failures = [var.api]
}

run "api_waf_limit" {
  command = plan
  variables {
    api = { waf = { requests_per_five_minutes = 1 } }
  }
  expect_failures = [var.api]
}

run "api_cache_of_http" {
  command = plan
  variables {
    api      = { cache = {} }
    frontend = "http"
  }
  expect_failures = [var.api]
}

run "api_waf_of_http" {
  command = plan
  variables {
    api      = { waf = {} }
    frontend = "http"
  }
  expect_failures = [var.api]
}

run "api_keys_id" {
  command = plan
  variables {
    api_keys = { "a b" = {} }
  }
  expect_failures = [var.api_keys]
}

run "api_keys_nobody" {
  command = plan
  variables {
    api_keys = {}
  }
  expect_failures = [var.api_keys]
}

run "authorizer_both" {
  command = plan
  variables {
    authorizer = { cognito = {}, jwt = { issuer = "https://x", audience = [] } }
  }
  expect_failures = [var.authorizer]
}

run "authorizer_neither" {
  command = plan
  variables {
    authorizer = {}
  }
  expect_failures = [var.authorizer]
}

run "authorizer_jwt_of_rest" {
  command = plan
  variables {
    authorizer = { jwt = { issuer = "https://x", audience = ["a"] } }
  }
  expect_failures = [var.authorizer]
}

run "authorizer_issuer" {
  command = plan
  variables {
    authorizer = { jwt = { issuer = "http://x", audience = ["a"] } }
    frontend   = "http"
  }
  expect_failures = [var.authorizer]
}

run "authorizer_audience" {
  command = plan
  variables {
    authorizer = { cognito = { user_pool_arn = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/x" } }
    frontend   = "http"
  }
  expect_failures = [var.authorizer]
}

run "domain_no_certificate" {
  command = plan
  variables {
    domain = { name = "api.example.org" }
  }
  expect_failures = [var.domain]
}

run "domain_name" {
  command = plan
  variables {
    domain = { name = "https://x", zone_id = "Z" }
  }
  expect_failures = [var.domain]
}

run "installation_key_short" {
  command = plan
  variables {
    installation_key = "abc"
  }
  expect_failures = [var.installation_key]
}

run "encryption_alias" {
  command = plan
  variables {
    encryption = { key_arn = "alias/x" }
  }
  expect_failures = [var.encryption]
}

run "encryption_both" {
  command = plan
  variables {
    encryption = { own_key = true, key_arn = "arn:aws:kms:us-east-1:123456789012:key/x" }
  }
  expect_failures = [var.encryption]
}

run "store_retention" {
  command = plan
  variables {
    store = { event_retention_days = -1 }
  }
  expect_failures = [var.store]
}

run "store_user_expiry" {
  command = plan
  variables {
    store = { user_expiry_days = -1 }
  }
  expect_failures = [var.store]
}

run "store_asset_expiry" {
  command = plan
  variables {
    store = { asset_expiry_days = 0.5 }
  }
  expect_failures = [var.store]
}

run "bucket_assets_days" {
  command = plan
  variables {
    bucket = { assets_days = 365 }
  }
  expect_failures = [var.bucket]
}

run "store_idempotency" {
  command = plan
  variables {
    store = { idempotency_hours = 0 }
  }
  expect_failures = [var.store]
}

run "store_name" {
  command = plan
  variables {
    store = { table_name = "a b" }
  }
  expect_failures = [var.store]
}

run "store_replicas_under_a_key" {
  command = plan
  variables {
    store      = { replica_regions = ["eu-west-1"] }
    encryption = { own_key = true }
  }
  expect_failures = [var.store]
}

run "bucket_days" {
  command = plan
  variables {
    bucket = { results_days = 0 }
  }
  expect_failures = [var.bucket]
}

run "bucket_archive" {
  command = plan
  variables {
    bucket = { raw_archive_days = 5 }
  }
  expect_failures = [var.bucket]
}

run "bucket_lock" {
  command = plan
  variables {
    bucket = { object_lock_days = -1 }
  }
  expect_failures = [var.bucket]
}

run "bucket_buffer" {
  command = plan
  variables {
    bucket = { buffer_seconds = 30 }
  }
  expect_failures = [var.bucket]
}

run "lake_schedule" {
  command = plan
  variables {
    lake = { schedule = "15m" }
  }
  expect_failures = [var.lake]
}

run "lake_size" {
  command = plan
  variables {
    lake = { compact_min = "64 MB" }
  }
  expect_failures = [var.lake]
}

run "lake_wait" {
  command = plan
  variables {
    lake = { compact_wait = "1 hour" }
  }
  expect_failures = [var.lake]
}

run "lake_snapshots" {
  command = plan
  variables {
    lake = { snapshot_days = 1 }
  }
  expect_failures = [var.lake]
}

run "lake_cutoff" {
  command = plan
  variables {
    lake = { query_max_gigabytes = 0 }
  }
  expect_failures = [var.lake]
}

run "functions_memory" {
  command = plan
  variables {
    functions = { ingest_memory_mb = 64 }
  }
  expect_failures = [var.functions]
}

run "functions_timeout" {
  command = plan
  variables {
    functions = { compactor_timeout_seconds = 1000 }
  }
  expect_failures = [var.functions]
}

run "functions_batch" {
  command = plan
  variables {
    functions = { relay_batch = 5000 }
  }
  expect_failures = [var.functions]
}

run "functions_concurrency" {
  command = plan
  variables {
    functions = { compactor_reserved_concurrency = -2 }
  }
  expect_failures = [var.functions]
}

run "functions_log_days" {
  command = plan
  variables {
    functions = { log_days = 31 }
  }
  expect_failures = [var.functions]
}

run "monitoring_alarms" {
  command = plan
  variables {
    monitoring = { alarms = "some" }
  }
  expect_failures = [var.monitoring]
}

run "monitoring_email" {
  command = plan
  variables {
    monitoring = { emails = ["nobody"] }
  }
  expect_failures = [var.monitoring]
}

run "monitoring_threshold" {
  command = plan
  variables {
    monitoring = { thresholds = { latency_ms = -1 } }
  }
  expect_failures = [var.monitoring]
}

run "store_notify_events_other" {
  command = plan
  variables {
    store = { event_bus = true, notify_events = ["request.read"] }
  }
  expect_failures = [var.store]
}

run "store_notify_events_misspelt" {
  command = plan
  variables {
    store = { event_bus = true, notify_events = ["task.complete"] }
  }
  expect_failures = [var.store]
}

run "store_notify_events_alone" {
  command = plan
  variables {
    store = { notify_events = ["task.completed"] }
  }
  expect_failures = [var.store]
}
