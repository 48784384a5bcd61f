# AWS WAF before the REST API: AWS's own rules for what is known to be bad, and a limit for each address.

locals {
  # AWS's groups of rules, in their order.
  waf_groups = {
    AWSManagedRulesAmazonIpReputationList = 1
    AWSManagedRulesKnownBadInputsRuleSet  = 2
    AWSManagedRulesCommonRuleSet          = 3
  }
}

resource "aws_wafv2_web_acl" "this" {
  #checkov:skip=CKV_AWS_192:AWSManagedRulesKnownBadInputsRuleSet is there; checkov does not follow a list of groups
  #checkov:skip=CKV2_AWS_31:what is refused is in the gateway's access log, with WAF's own code, and so in the table
  count = var.api.waf == null ? 0 : 1

  name        = local.name
  description = "Before the API of ${local.name}."
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  rule {
    name     = "rate-of-one-address"
    priority = 0

    action {
      block {}
    }

    statement {
      rate_based_statement {
        limit              = var.api.waf.requests_per_five_minutes
        aggregate_key_type = "IP"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${local.name}-rate"
      sampled_requests_enabled   = true
    }
  }

  dynamic "rule" {
    for_each = local.waf_groups

    content {
      name     = rule.key
      priority = rule.value

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.key

          # Bodies of 8 KB and more are usual here; the gateway and the function have limits of their own.
          dynamic "rule_action_override" {
            for_each = rule.key == "AWSManagedRulesCommonRuleSet" ? ["SizeRestrictions_BODY"] : []

            content {
              name = rule_action_override.value

              action_to_use {
                count {}
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${local.name}-${rule.key}"
        sampled_requests_enabled   = true
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = local.name
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  count = var.api.waf == null ? 0 : 1

  resource_arn = aws_api_gateway_stage.this[0].arn
  web_acl_arn  = aws_wafv2_web_acl.this[0].arn
}
