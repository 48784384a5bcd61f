variable "name_prefix" {
  description = "Begins every name, and is the installation's environment in log and metrics. Two installations of one account differ in it, or in their region."
  type        = string
  default     = "daybook"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,21}[a-z0-9]$", var.name_prefix)) && !can(regex("--", var.name_prefix))
    error_message = "name_prefix must be 3 to 23 lower-case letters, digits and single hyphens, such as daybook-staging."
  }
}

variable "package" {
  description = "Where the functions' zips are: a folder that holds <architecture>/<function>.zip, as make package leaves it, or the URL of a release, from which they are downloaded and checked against its SHA256SUMS."
  type = object({
    directory    = optional(string)
    release_url  = optional(string)
    architecture = optional(string, "arm64")
  })
  default = {}

  validation {
    condition     = contains(["arm64", "x86_64"], var.package.architecture)
    error_message = "package.architecture must be arm64 or x86_64."
  }
  validation {
    condition     = var.package.directory == null || var.package.release_url == null
    error_message = "package takes a directory or a release_url, not both."
  }
  validation {
    condition     = var.package.release_url == null || can(regex("^https://[^'\"\\s]+$", var.package.release_url))
    error_message = "package.release_url must begin with https://, such as https://github.com/<owner>/<repository>/releases/download/v0.1.0."
  }
}

variable "frontend" {
  description = "What stands in front: rest (API keys, quotas, WAF and caching at the gateway) or http (a third of the price; keys are checked by the function)."
  type        = string
  default     = "rest"

  validation {
    condition     = contains(["rest", "http"], var.frontend)
    error_message = "frontend must be rest or http."
  }
}

variable "api" {
  description = "How the API behaves: exact origins of browsers, further names to mask, whether clients may keep answers, limits of the whole API, and what is off unless it is given: response caching and WAF, both of the REST front door."
  type = object({
    cors_origins     = optional(list(string), [])
    mask             = optional(list(string), [])
    require_if_match = optional(bool, false)
    client_caching   = optional(bool, false)
    throttle = optional(object({
      requests_per_second = optional(number, 100)
      burst               = optional(number, 200)
    }), {})
    cache = optional(object({
      gigabytes   = optional(string, "0.5")
      ttl_seconds = optional(number, 5)
    }))
    waf = optional(object({
      requests_per_five_minutes = optional(number, 2000)
    }))
  })
  default = {}

  validation {
    condition     = alltrue([for origin in var.api.cors_origins : can(regex("^https?://[^*/?#@A-Z\\s,]+$", origin))])
    error_message = "api.cors_origins must be exact origins, such as https://app.example.org; no pattern, no path."
  }
  validation {
    condition     = alltrue([for name in var.api.mask : can(regex("^[^,\\s]+$", name))])
    error_message = "api.mask must be single names, without commas and spaces."
  }
  validation {
    condition     = var.api.throttle.requests_per_second > 0 && var.api.throttle.burst > 0
    error_message = "api.throttle must let requests through: both numbers are above 0."
  }
  validation {
    condition     = var.frontend == "rest" || (var.api.cache == null && var.api.waf == null)
    error_message = "api.cache and api.waf exist only with frontend = \"rest\"."
  }
  validation {
    condition     = try(var.api.cache.ttl_seconds, 5) >= 1 && try(var.api.cache.ttl_seconds, 5) <= 3600
    error_message = "api.cache.ttl_seconds must be between 1 and 3600."
  }
  validation {
    condition     = contains(["0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"], try(var.api.cache.gigabytes, "0.5"))
    error_message = "api.cache.gigabytes must be a size that API Gateway has: 0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118 or 237."
  }
  validation {
    condition     = try(var.api.waf.requests_per_five_minutes, 2000) >= 100
    error_message = "api.waf.requests_per_five_minutes must be at least 100."
  }
}

variable "api_keys" {
  description = "API keys by their id: whose data each reads and writes, and its share of the API. The keys themselves are made here; see the output api_keys."
  type = map(object({
    tenant              = optional(string, "default")
    requests_per_second = optional(number, 50)
    burst               = optional(number, 100)
    requests_per_day    = optional(number)
  }))
  default = { default = {} }

  validation {
    condition     = alltrue([for id, key in var.api_keys : can(regex("^[A-Za-z0-9._-]{1,64}$", id)) && can(regex("^[A-Za-z0-9._-]{1,64}$", key.tenant))])
    error_message = "api_keys: ids and tenants must be 1 to 64 of A-Z a-z 0-9 . _ -"
  }
  validation {
    condition     = length(var.api_keys) > 0 || var.authorizer != null
    error_message = "api_keys is empty and there is no authorizer: anybody could read and write everything."
  }
}

variable "authorizer" {
  description = "Who may use the API besides having a key: users of a Cognito user pool (made here with cognito = {}, or one that exists), or, with frontend = \"http\", bearers of a JWT of any issuer. tenant_claim names whose data each reads and writes, else it is the tenant of the key beside the token, else tenant (\"default\" where there are no keys); scope_claim names what each may do: the words read, write and admin, behind scope_prefix if there is one (such as daybook/)."
  type = object({
    cognito = optional(object({
      user_pool_arn = optional(string)
      client_ids    = optional(list(string), [])
      callback_urls = optional(list(string), [])
    }))
    jwt = optional(object({
      issuer   = string
      audience = list(string)
    }))
    tenant_claim = optional(string)
    tenant       = optional(string)
    scope_claim  = optional(string)
    scope_prefix = optional(string)
  })
  default = null

  validation {
    condition     = var.authorizer == null || (try(var.authorizer.cognito, null) == null) != (try(var.authorizer.jwt, null) == null)
    error_message = "authorizer must be cognito or jwt, one of the two."
  }
  validation {
    condition     = try(var.authorizer.jwt, null) == null || var.frontend == "http"
    error_message = "authorizer.jwt needs frontend = \"http\"; a REST API knows Cognito."
  }
  validation {
    condition     = can(regex("^https://", try(var.authorizer.jwt.issuer, "https://")))
    error_message = "authorizer.jwt.issuer must begin with https://."
  }
  validation {
    condition     = try(var.authorizer.cognito.user_pool_arn, null) == null || var.frontend == "rest" || length(try(var.authorizer.cognito.client_ids, [])) > 0
    error_message = "authorizer.cognito with a user pool that exists and frontend = \"http\" needs client_ids: the audience."
  }
}

variable "domain" {
  description = "A domain of your own: its Route 53 zone, where the certificate is proven and the name is set, or a certificate that exists."
  type = object({
    name            = string
    zone_id         = optional(string)
    certificate_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.domain == null || try(var.domain.zone_id, null) != null || try(var.domain.certificate_arn, null) != null
    error_message = "domain needs a zone_id, a certificate_arn, or both."
  }
  validation {
    condition     = can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", try(var.domain.name, "api.example.org")))
    error_message = "domain.name must be a name such as api.example.org."
  }
}

variable "installation_key" {
  description = "64 hex digits from which masks and page tokens are derived; they must never change. Made here unless given. Give the old one when an installation is made anew over its old bucket."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.installation_key == null || can(regex("^[0-9a-f]{64}$", var.installation_key))
    error_message = "installation_key must be 64 hex digits, such as from openssl rand -hex 32."
  }
}

variable "encryption" {
  description = "Whose key encrypts bucket, table, streams, logs and topic: AWS's own, which costs nothing, or a KMS key of yours, made here with own_key = true or one that exists."
  type = object({
    own_key = optional(bool, false)
    key_arn = optional(string)
  })
  default = {}

  validation {
    condition     = var.encryption.key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.encryption.key_arn))
    error_message = "encryption.key_arn must be the ARN of a KMS key, not of an alias."
  }
  validation {
    condition     = var.encryption.key_arn == null || !var.encryption.own_key
    error_message = "encryption takes own_key or key_arn, not both."
  }
}

variable "store" {
  description = "The store: another name for its table, such as a restored one's; how long it keeps what the log has for ever (0 is for ever), how long users are there after their last change and assets, with their contents, after they were announced (0 is until they are removed), regions that replicate it, whether it may be deleted, an event bus that is told of every change, and types of events that the bus is told of by their names, such as task.completed or user.*."
  type = object({
    table_name                = optional(string)
    event_retention_days      = optional(number, 30)
    submission_retention_days = optional(number, 0)
    idempotency_hours         = optional(number, 24)
    user_expiry_days          = optional(number, 90)
    asset_expiry_days         = optional(number, 30)
    replica_regions           = optional(set(string), [])
    deletion_protection       = optional(bool, false)
    event_bus                 = optional(bool, false)
    notify_events             = optional(list(string), [])
  })
  default = {}

  validation {
    condition = alltrue([for number in [var.store.event_retention_days, var.store.submission_retention_days, var.store.idempotency_hours] :
    number >= 0 && floor(number) == number && number <= 36500])
    error_message = "store: retentions are whole numbers from 0."
  }
  validation {
    condition = alltrue([for number in [var.store.user_expiry_days, var.store.asset_expiry_days] :
    number >= 0 && floor(number) == number && number <= 36500])
    error_message = "store: users and assets expire after a whole number of days, 0 for never."
  }
  validation {
    condition     = var.store.table_name == null || can(regex("^[a-zA-Z0-9_.-]{3,255}$", var.store.table_name))
    error_message = "store.table_name must be 3 to 255 of a-z A-Z 0-9 _ . -"
  }
  validation {
    condition     = var.store.idempotency_hours >= 1
    error_message = "store.idempotency_hours must be at least 1."
  }
  validation {
    condition = alltrue([for name in var.store.notify_events : can(regex(
      "^(data\\.submitted|task\\.(created|updated|completed|deleted)|user\\.(created|updated|deleted)|asset\\.(created|uploaded|deleted)|(data|task|user|asset)\\.\\*)$",
    name))])
    error_message = "store.notify_events must be types of changes, such as task.completed or user.*."
  }
  validation {
    condition     = length(var.store.notify_events) == 0 || var.store.event_bus
    error_message = "store.notify_events needs event_bus = true: the bus that is told."
  }
  validation {
    condition     = length(var.store.replica_regions) == 0 || (!var.encryption.own_key && var.encryption.key_arn == null)
    error_message = "store.replica_regions cannot be combined with a key of one region: leave encryption to AWS's own key."
  }
}

variable "bucket" {
  description = "The bucket: how long what nobody needs for ever is kept, when raw objects move to a cheaper class (0 is never), and Object Lock, which can be switched on only when the bucket is made."
  type = object({
    results_days        = optional(number, 7)
    old_versions_days   = optional(number, 30)
    failed_batches_days = optional(number, 90)
    raw_archive_days    = optional(number, 0)
    object_lock_days    = optional(number, 0)
    buffer_seconds      = optional(number, 300)
    assets_days         = optional(number)
  })
  default = {}

  validation {
    condition     = var.bucket.assets_days == null
    error_message = "bucket.assets_days is store.asset_expiry_days now: contents go a day after what that says, and without it after 31 days."
  }
  validation {
    condition     = min(var.bucket.results_days, var.bucket.old_versions_days, var.bucket.failed_batches_days) >= 1
    error_message = "bucket: results, old versions and failed batches are kept for at least a day."
  }
  validation {
    condition     = var.bucket.raw_archive_days == 0 || var.bucket.raw_archive_days >= 30
    error_message = "bucket.raw_archive_days must be 0 or at least 30: the compactor reads raw objects again for days, and the class asks for thirty."
  }
  validation {
    condition     = var.bucket.object_lock_days >= 0 && var.bucket.object_lock_days <= 36500
    error_message = "bucket.object_lock_days must be between 0 and 36500."
  }
  validation {
    condition     = var.bucket.buffer_seconds >= 60 && var.bucket.buffer_seconds <= 900
    error_message = "bucket.buffer_seconds must be between 60 and 900: how long Firehose gathers lines."
  }
}

variable "lake" {
  description = "The table and who asks it: the compactor's schedule and size of a commit, Glue's optimizers (set optimizer once the table is there), and how much one query may read."
  type = object({
    schedule            = optional(string, "rate(15 minutes)")
    compact_min         = optional(string, "64MiB")
    compact_wait        = optional(string, "60m")
    max_line            = optional(string, "8MiB")
    optimizer           = optional(bool, false)
    snapshot_days       = optional(number, 7)
    query_max_gigabytes = optional(number, 10)
    reuse_minutes       = optional(number, 0)
  })
  default = {}

  validation {
    condition     = can(regex("^(rate|cron)\\(.+\\)$", var.lake.schedule))
    error_message = "lake.schedule must be rate(…) or cron(…), such as rate(15 minutes)."
  }
  validation {
    condition     = alltrue([for size in [var.lake.compact_min, var.lake.max_line] : can(regex("^[0-9]+(B|KiB|MiB|GiB)$", size))])
    error_message = "lake.compact_min and lake.max_line must be sizes, such as 64MiB."
  }
  validation {
    condition     = can(regex("^[0-9]+(s|m|h)$", var.lake.compact_wait))
    error_message = "lake.compact_wait must be a time, such as 60m."
  }
  validation {
    condition     = var.lake.snapshot_days >= 3
    error_message = "lake.snapshot_days must be at least 3: longer than the compactor looks back."
  }
  validation {
    condition     = var.lake.query_max_gigabytes >= 0.02
    error_message = "lake.query_max_gigabytes must be at least 0.02: Athena takes hardly a smaller limit."
  }
}

variable "functions" {
  description = "The functions' sizes, and their logs. A reserved concurrency of -1 is none: an account that may run only ten functions at once cannot reserve any."
  type = object({
    ingest_memory_mb               = optional(number, 256)
    ingest_reserved_concurrency    = optional(number, -1)
    relay_memory_mb                = optional(number, 256)
    relay_batch                    = optional(number, 1000)
    compactor_memory_mb            = optional(number, 512)
    compactor_timeout_seconds      = optional(number, 600)
    compactor_reserved_concurrency = optional(number, 1)
    query_memory_mb                = optional(number, 256)
    log_days                       = optional(number, 30)
    log                            = optional(string, "info")
    tracing                        = optional(bool, true)
  })
  default = {}

  validation {
    condition     = alltrue([for size in [var.functions.ingest_memory_mb, var.functions.relay_memory_mb, var.functions.compactor_memory_mb, var.functions.query_memory_mb] : size >= 128 && size <= 10240])
    error_message = "functions: memory must be between 128 and 10240 MB."
  }
  validation {
    condition     = var.functions.compactor_timeout_seconds >= 60 && var.functions.compactor_timeout_seconds <= 900
    error_message = "functions.compactor_timeout_seconds must be between 60 and 900."
  }
  validation {
    condition     = var.functions.relay_batch >= 1 && var.functions.relay_batch <= 1000
    error_message = "functions.relay_batch must be between 1 and 1000."
  }
  validation {
    condition     = min(var.functions.ingest_reserved_concurrency, var.functions.compactor_reserved_concurrency) >= -1
    error_message = "functions: a reserved concurrency is -1 (none) or the number."
  }
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.functions.log_days)
    error_message = "functions.log_days must be a retention that CloudWatch has, such as 7, 30, 90 or 365."
  }
}

variable "monitoring" {
  description = "Alarms: essential (ten metrics, which is what an account has for nothing), all, or none; whom they tell; their thresholds; and the dashboard."
  type = object({
    alarms    = optional(string, "essential")
    emails    = optional(set(string), [])
    dashboard = optional(bool, true)
    thresholds = optional(object({
      latency_ms                = optional(number, 1000)
      errors_per_minute         = optional(number, 10)
      refusals_per_minute       = optional(number, 600)
      iterator_age_minutes      = optional(number, 15)
      delivery_age_minutes      = optional(number, 30)
      compaction_lag_minutes    = optional(number, 150)
      fallback_writes           = optional(number, 10)
      quarantined_lines         = optional(number, 0)
      duplicates_per_hour       = optional(number, 10000)
      overtaken_commits_an_hour = optional(number, 5)
    }), {})
  })
  default = {}

  validation {
    condition     = contains(["essential", "all", "none"], var.monitoring.alarms)
    error_message = "monitoring.alarms must be essential, all or none."
  }
  validation {
    condition     = alltrue([for address in var.monitoring.emails : can(regex("^[^@\\s]+@[^@\\s]+$", address))])
    error_message = "monitoring.emails must be e-mail addresses."
  }
  validation {
    condition     = alltrue([for threshold in values(var.monitoring.thresholds) : threshold >= 0])
    error_message = "monitoring.thresholds are 0 or more."
  }
}

variable "force_destroy" {
  description = "Whether terraform destroy may delete the bucket with all that is in it, the log included."
  type        = bool
  default     = false
}
