# Who a request speaks for, asked at the front door: a Cognito user pool's users, or bearers of another issuer's JWT.

locals {
  cognito  = try(var.authorizer.cognito, null)
  own_pool = local.cognito != null && try(var.authorizer.cognito.user_pool_arn, null) == null

  pool_arn = local.own_pool ? aws_cognito_user_pool.this[0].arn : try(var.authorizer.cognito.user_pool_arn, null)
  pool_id  = local.own_pool ? aws_cognito_user_pool.this[0].id : try(regex("userpool/(.+)$", local.pool_arn)[0], null)

  # Whose data the claims open. Where a claim or a key says so, nothing is made up for one that is not there.
  said_otherwise = var.authorizer == null || length(var.api_keys) > 0 || try(var.authorizer.tenant_claim, null) != null
  claims = {
    tenant_claim = try(coalesce(var.authorizer.tenant_claim), "")
    tenant       = try(coalesce(var.authorizer.tenant), local.said_otherwise ? "" : "default")
    scope_claim  = try(coalesce(var.authorizer.scope_claim), "")
    scope_prefix = try(coalesce(var.authorizer.scope_prefix), "")
  }

  issuer   = local.cognito == null ? try(var.authorizer.jwt.issuer, null) : "https://cognito-idp.${local.region}.amazonaws.com/${local.pool_id}"
  audience = local.cognito == null ? try(var.authorizer.jwt.audience, []) : concat(aws_cognito_user_pool_client.this[*].id, try(var.authorizer.cognito.client_ids, []))
}

resource "aws_cognito_user_pool" "this" {
  count = local.own_pool ? 1 : 0

  name                     = local.name
  username_attributes      = ["email"]
  auto_verified_attributes = ["email"]
  mfa_configuration        = "OPTIONAL"
  deletion_protection      = var.force_destroy ? "INACTIVE" : "ACTIVE"

  software_token_mfa_configuration {
    enabled = true
  }

  password_policy {
    minimum_length                   = 14
    require_lowercase                = true
    require_numbers                  = true
    require_symbols                  = false
    require_uppercase                = true
    temporary_password_validity_days = 3
  }

  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }
}

resource "aws_cognito_user_pool_client" "this" {
  count = local.own_pool ? 1 : 0

  name                                 = local.name
  user_pool_id                         = aws_cognito_user_pool.this[0].id
  generate_secret                      = false
  prevent_user_existence_errors        = "ENABLED"
  enable_token_revocation              = true
  explicit_auth_flows                  = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
  access_token_validity                = 1
  id_token_validity                    = 1
  refresh_token_validity               = 30
  supported_identity_providers         = ["COGNITO"]
  callback_urls                        = local.cognito.callback_urls
  allowed_oauth_flows_user_pool_client = length(local.cognito.callback_urls) > 0
  allowed_oauth_flows                  = length(local.cognito.callback_urls) > 0 ? ["code"] : null
  allowed_oauth_scopes                 = length(local.cognito.callback_urls) > 0 ? ["openid", "email"] : null
}

resource "aws_api_gateway_authorizer" "this" {
  count = local.rest && var.authorizer != null ? 1 : 0

  name            = local.name
  rest_api_id     = aws_api_gateway_rest_api.this[0].id
  type            = "COGNITO_USER_POOLS"
  provider_arns   = [local.pool_arn]
  identity_source = "method.request.header.Authorization"
}

resource "aws_apigatewayv2_authorizer" "this" {
  count = !local.rest && var.authorizer != null ? 1 : 0

  name             = local.name
  api_id           = aws_apigatewayv2_api.this[0].id
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = local.issuer
    audience = local.audience
  }
}
