# One key of the installation's own, if it wants one. Without, every part is encrypted with AWS's.

locals {
  own_key = var.encryption.own_key || var.encryption.key_arn != null
  key_arn = var.encryption.own_key ? aws_kms_key.this[0].arn : var.encryption.key_arn
}

resource "aws_kms_key" "this" {
  count = var.encryption.own_key ? 1 : 0

  description             = "${local.name}: bucket, table, streams, logs and topic"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = local.key_policy
}

resource "aws_kms_alias" "this" {
  count = var.encryption.own_key ? 1 : 0

  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.this[0].key_id
}
