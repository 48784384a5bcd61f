# The store: one table as ingest/src/aws/table.rs defines it.

locals {
  table      = jsondecode(file("${path.module}/generated/table.json"))
  replicated = length(var.store.replica_regions) > 0
}

resource "aws_dynamodb_table" "this" {
  name                        = local.table_name
  billing_mode                = local.table.billing_mode
  hash_key                    = local.table.hash_key
  range_key                   = local.table.range_key
  deletion_protection_enabled = var.store.deletion_protection
  stream_enabled              = true
  # Replication needs both images; the relay reads the new one.
  stream_view_type = local.replicated ? "NEW_AND_OLD_IMAGES" : local.table.stream_view

  dynamic "attribute" {
    for_each = toset(concat([local.table.hash_key, local.table.range_key], flatten([for index in local.table.indexes : [index.hash_key, index.range_key]])))

    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = { for index in local.table.indexes : index.name => index }

    content {
      name               = global_secondary_index.key
      hash_key           = global_secondary_index.value.hash_key
      range_key          = global_secondary_index.value.range_key
      projection_type    = "INCLUDE"
      non_key_attributes = global_secondary_index.value.includes
    }
  }

  ttl {
    attribute_name = local.table.ttl_attribute
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  # Without a key of one's own the table is encrypted with DynamoDB's, which is not billed.
  dynamic "server_side_encryption" {
    for_each = local.own_key ? [local.key_arn] : []

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  dynamic "replica" {
    for_each = var.store.replica_regions

    content {
      region_name            = replica.value
      point_in_time_recovery = true
      propagate_tags         = true
    }
  }
}
