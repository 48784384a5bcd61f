# The whole flow, with nothing that is billed while nobody uses it:
#
#   make package && make deploy      from the repository's root, or here: terraform init && terraform apply

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

  default_tags {
    tags = { application = "daybook", installation = var.name_prefix }
  }
}

module "daybook" {
  source = "../.."

  name_prefix   = var.name_prefix
  frontend      = var.frontend
  force_destroy = var.force_destroy
  monitoring    = { emails = var.alarm_emails }

  package = {
    release_url  = var.release_url
    architecture = var.architecture
  }
}
