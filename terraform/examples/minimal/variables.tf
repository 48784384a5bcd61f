variable "region" {
  description = "The region; else the one of AWS_REGION or of the profile."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "Begins every name."
  type        = string
  default     = "daybook"
}

variable "frontend" {
  description = "rest or http."
  type        = string
  default     = "rest"
}

variable "release_url" {
  description = "Where a release's zips are; else those of make package."
  type        = string
  default     = null
}

variable "architecture" {
  description = "arm64 or x86_64: what the zips were built for."
  type        = string
  default     = "arm64"
}

variable "alarm_emails" {
  description = "Who is told of alarms. Each address is asked by mail to confirm."
  type        = set(string)
  default     = []
}

variable "force_destroy" {
  description = "Whether terraform destroy may delete the log."
  type        = bool
  default     = false
}
