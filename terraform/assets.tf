# Contents of assets: clients put them into the bucket by signed URLs, and the relay is told what came.

resource "aws_s3_bucket_notification" "assets" {
  bucket = aws_s3_bucket.this.id

  lambda_function {
    id                  = "assets"
    lambda_function_arn = module.relay.arn
    events              = ["s3:ObjectCreated:*"]
    filter_prefix       = "assets/"
  }

  depends_on = [aws_lambda_permission.assets]
}

# By this bucket, and nobody else.
resource "aws_lambda_permission" "assets" {
  statement_id   = "assets"
  action         = "lambda:InvokeFunction"
  function_name  = module.relay.name
  principal      = "s3.amazonaws.com"
  source_arn     = local.arn.bucket
  source_account = local.account
}

# What failed three times is kept; whoever looks at the asset finds its content anyway.
resource "aws_lambda_function_event_invoke_config" "relay" {
  function_name                = module.relay.name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 6 * 3600

  destination_config {
    on_failure {
      destination = aws_s3_bucket.this.arn
    }
  }
}

# Browsers of the API's own origins upload and download; without any, none.
resource "aws_s3_bucket_cors_configuration" "this" {
  count = length(var.api.cors_origins) > 0 ? 1 : 0

  bucket = aws_s3_bucket.this.id

  cors_rule {
    allowed_origins = var.api.cors_origins
    allowed_methods = ["GET", "HEAD", "PUT"]
    allowed_headers = ["content-type", "if-none-match", "if-range", "range"]
    expose_headers  = ["Content-Disposition", "Content-Range", "ETag"]
    max_age_seconds = 600
  }
}
