# Every optional part at once: what it looks like, not what anybody needs.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "The region."
  type        = string
  default     = "eu-west-1"
}

variable "zone_id" {
  description = "The Route 53 zone of example.org."
  type        = string
  default     = "Z0123456789ABCDEFGHIJ"
}

variable "zips" {
  description = "The folder of the functions' zips; else that of make package."
  type        = string
  default     = null
}

module "daybook" {
  source = "../.."

  name_prefix = "daybook-complete"
  package     = { directory = var.zips }

  api = {
    cors_origins     = ["https://app.example.org"]
    mask             = ["pet_name"]
    require_if_match = true
    throttle         = { requests_per_second = 500, burst = 1000 }
    cache            = { ttl_seconds = 5 }
    waf              = { requests_per_five_minutes = 3000 }
  }

  api_keys = {
    web     = { tenant = "acme", requests_per_second = 200, burst = 400 }
    partner = { tenant = "globex", requests_per_day = 10000 }
  }

  authorizer = { cognito = { callback_urls = ["https://app.example.org/signed-in"] } }
  domain     = { name = "api.example.org", zone_id = var.zone_id }
  encryption = { own_key = true }
  store      = { deletion_protection = true, event_bus = true }
  bucket     = { object_lock_days = 30, raw_archive_days = 90 }
  lake       = { optimizer = true, snapshot_days = 14, reuse_minutes = 10 }
  functions  = { log_days = 365 }
  monitoring = { alarms = "all", emails = ["ops@example.org"] }
}
