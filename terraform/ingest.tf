# The function that answers requests.

locals {
  # What every function is told, and how it is made.
  environment = {
    DAYBOOK_ENVIRONMENT = local.name
    DAYBOOK_LOG         = var.functions.log
  }

  function = {
    architecture = var.package.architecture
    log_arn      = local.arn.logs
    log_days     = var.functions.log_days
    tracing      = var.functions.tracing
    key_arn      = local.key_arn
  }
}

module "ingest" {
  source = "./modules/lambda"

  function = merge(local.function, {
    name                 = "${local.name}-ingest"
    role                 = "${local.regional}-ingest"
    description          = "Answers requests; each is in the log before its answer leaves."
    zip                  = local.zips["ingest"]
    zip_sha256           = local.sums["ingest"]
    memory_mb            = var.functions.ingest_memory_mb
    timeout_seconds      = 28
    reserved_concurrency = var.functions.ingest_reserved_concurrency

    environment = merge(local.environment, {
      DAYBOOK_BUCKET                    = local.bucket
      DAYBOOK_TABLE                     = local.table_name
      DAYBOOK_FIREHOSE                  = local.stream.raw
      DAYBOOK_INSTALLATION_KEY          = local.installation_key
      DAYBOOK_API_KEYS                  = local.api_key_hashes
      DAYBOOK_JWT_TENANT_CLAIM          = local.claims.tenant_claim
      DAYBOOK_JWT_TENANT                = local.claims.tenant
      DAYBOOK_JWT_SCOPE_CLAIM           = local.claims.scope_claim
      DAYBOOK_JWT_SCOPE_PREFIX          = local.claims.scope_prefix
      DAYBOOK_CORS_ORIGINS              = join(",", var.api.cors_origins)
      DAYBOOK_MASK                      = join(",", var.api.mask)
      DAYBOOK_REQUIRE_IF_MATCH          = tostring(var.api.require_if_match)
      DAYBOOK_CLIENT_CACHING            = tostring(var.api.client_caching)
      DAYBOOK_EVENT_RETENTION_DAYS      = tostring(var.store.event_retention_days)
      DAYBOOK_SUBMISSION_RETENTION_DAYS = tostring(var.store.submission_retention_days)
      DAYBOOK_IDEMPOTENCY_HOURS         = tostring(var.store.idempotency_hours)
      DAYBOOK_USER_EXPIRY_DAYS          = tostring(var.store.user_expiry_days)
      DAYBOOK_ASSET_EXPIRY_DAYS         = tostring(var.store.asset_expiry_days)
      DAYBOOK_QUERY_FUNCTION            = "${local.name}-query"
    })

    policies = merge(local.key_policies, {
      append-to-store = local.policy.append_to_store
      send-lines      = local.policy.send_events
      write-fallback  = local.policy.write_fallback
      read-bodies     = local.policy.read_bodies
      remove-assets   = local.policy.remove_assets
      ask-questions   = local.policy.invoke_query
    })
  })

  depends_on = [terraform_data.release, terraform_data.zips]
}

# By this API, and nobody else.
resource "aws_lambda_permission" "gateway" {
  statement_id   = "api-gateway"
  action         = "lambda:InvokeFunction"
  function_name  = module.ingest.name
  principal      = "apigateway.amazonaws.com"
  source_arn     = "${local.front.execution_arn}/*"
  source_account = local.account
}
