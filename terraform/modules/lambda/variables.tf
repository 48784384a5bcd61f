variable "function" {
  description = "One function: what it is called, the code it runs, what it is told and what it may do. policies are capabilities: their name and their document; log_arn begins the ARNs of log groups."
  type = object({
    name                 = string
    role                 = string
    description          = string
    zip                  = string
    zip_sha256           = optional(string)
    architecture         = string
    memory_mb            = number
    timeout_seconds      = number
    environment          = map(string)
    policies             = map(string)
    reserved_concurrency = optional(number, -1)
    log_arn              = string
    log_days             = number
    tracing              = bool
    key_arn              = optional(string)
  })
}
