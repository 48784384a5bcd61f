output "arn" {
  description = "The function's ARN."
  value       = aws_lambda_function.this.arn
}

output "name" {
  description = "The function's name, known once the function is there."
  value       = aws_lambda_function.this.function_name
}

output "invoke_arn" {
  description = "What API Gateway calls it by."
  value       = aws_lambda_function.this.invoke_arn
}

output "role_arn" {
  description = "The ARN of the function's role."
  value       = aws_iam_role.this.arn
}
