# What the parts have in common: where they are, what they are called, and the secrets that nobody has to think of.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  region    = data.aws_region.this.region
  partition = data.aws_partition.this.partition

  # What must be unique in the world has account and region, what must be unique in the account has the region.
  name       = var.name_prefix
  regional   = "${local.name}-${local.region}"
  bucket     = "${local.name}-${local.account}-${local.region}"
  database   = replace(local.name, "-", "_")
  table_name = coalesce(var.store.table_name, local.name)

  # ARNs from names: a role's permissions can then be read in the plan, and no two parts wait for each other.
  arn = {
    bucket    = "arn:${local.partition}:s3:::${local.bucket}"
    table     = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${local.table_name}"
    raw       = "arn:${local.partition}:firehose:${local.region}:${local.account}:deliverystream/${local.stream.raw}"
    gateway   = "arn:${local.partition}:firehose:${local.region}:${local.account}:deliverystream/${local.stream.gateway}"
    workgroup = "arn:${local.partition}:athena:${local.region}:${local.account}:workgroup/${local.name}"
    catalog   = "arn:${local.partition}:glue:${local.region}:${local.account}:catalog"
    database  = "arn:${local.partition}:glue:${local.region}:${local.account}:database/${local.database}"
    tables    = "arn:${local.partition}:glue:${local.region}:${local.account}:table/${local.database}"
    logs      = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group"
    function  = "arn:${local.partition}:lambda:${local.region}:${local.account}:function"
  }
}

# Made once, at the first apply, and kept in the state: what is read again later is another text, and is ignored.
data "aws_secretsmanager_random_password" "installation_key" {
  password_length     = 64
  exclude_punctuation = true
}

resource "terraform_data" "installation_key" {
  input = sha256(data.aws_secretsmanager_random_password.installation_key.random_password)

  lifecycle {
    ignore_changes = [input]
  }
}

data "aws_secretsmanager_random_password" "api_key" {
  for_each = var.api_keys

  password_length     = 40
  exclude_punctuation = true
}

resource "terraform_data" "api_key" {
  for_each = var.api_keys

  input = data.aws_secretsmanager_random_password.api_key[each.key].random_password

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  installation_key = sensitive(coalesce(var.installation_key, terraform_data.installation_key.output))
  api_keys         = { for id, key in terraform_data.api_key : id => sensitive(key.output) }

  # As the function knows them: id, tenant and the key's hash.
  api_key_hashes = join(",", [for id, key in var.api_keys : "${id}:${key.tenant}:${sha256(local.api_keys[id])}"])
}
