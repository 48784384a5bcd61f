# raw/ gateway/ quarantine/ bodies/ assets/ lake/, beside them results/ of Athena, undelivered/ of Firehose, notices/ that
# the event bus did not take and aws/lambda/ of what a function could not do.
resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:who reads the bucket is CloudTrail's to say; a second bucket of access logs would be billed
  #checkov:skip=CKV_AWS_144:the log's second copy is the operator's decision; docs/deploy.md says how
  bucket              = local.bucket
  force_destroy       = var.force_destroy
  object_lock_enabled = var.bucket.object_lock_days > 0
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "this" {
  count = var.bucket.object_lock_days > 0 ? 1 : 0

  bucket = aws_s3_bucket.this.id

  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = var.bucket.object_lock_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = local.own_key ? "aws:kms" : "AES256"
      kms_master_key_id = local.key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = local.policy.bucket

  depends_on = [aws_s3_bucket_public_access_block.this]
}

locals {
  # Days after which what nobody needs any more is removed, by prefix. A content comes after its asset was announced: a day
  # more than an asset has under this setting.
  expiries = merge({
    "results/"    = var.bucket.results_days
    "aws/lambda/" = var.bucket.failed_batches_days
  }, var.store.asset_expiry_days > 0 ? { "assets/" = var.store.asset_expiry_days + 1 } : {})
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "everything"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }

    noncurrent_version_expiration {
      noncurrent_days = var.bucket.old_versions_days
    }
  }

  dynamic "rule" {
    for_each = local.expiries

    content {
      id     = "expire ${rule.key}"
      status = "Enabled"

      filter {
        prefix = rule.key
      }

      expiration {
        days = rule.value
      }
    }
  }

  dynamic "rule" {
    for_each = var.bucket.raw_archive_days > 0 ? ["raw/", "gateway/"] : []

    content {
      id     = "archive ${rule.value}"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      transition {
        days          = var.bucket.raw_archive_days
        storage_class = "GLACIER_IR"
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}
