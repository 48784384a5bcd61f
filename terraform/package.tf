# The functions' zips: from a folder, or downloaded from a release and held against its sums.

locals {
  function_names = toset(["ingest", "relay", "compactor", "query"])

  downloads = var.package.release_url == null ? "" : "${path.root}/.terraform/daybook/${substr(sha256(var.package.release_url), 0, 12)}"
  folder    = coalesce(var.package.directory, "${path.module}/../dist")

  zips = {
    for name in local.function_names : name => (
      var.package.release_url == null
      ? "${local.folder}/${var.package.architecture}/${name}.zip"
      : "${local.downloads}/daybook-${var.package.architecture}-${name}.zip"
    )
  }

  # A release never changes: its URL, which is part of the path, says enough. A folder's zips do.
  sums = { for name, zip in local.zips : name => var.package.release_url == null && fileexists(zip) ? filebase64sha256(zip) : null }
}

resource "terraform_data" "release" {
  count = var.package.release_url == null ? 0 : 1

  triggers_replace = [var.package.release_url, var.package.architecture]

  provisioner "local-exec" {
    interpreter = ["bash", "-euo", "pipefail", "-c"]
    command     = <<-SHELL
      mkdir -p "$folder" && cd "$folder"
      curl --fail --silent --show-error --location --proto '=https' --retry 3 --output SHA256SUMS "$url/SHA256SUMS"
      for name in $names; do
        curl --fail --silent --show-error --location --proto '=https' --retry 3 --output "$name" "$url/$name"
        grep -E "^[0-9a-f]{64} [ *]$name\$" SHA256SUMS | sha256sum --check --strict
      done
    SHELL

    environment = {
      folder = local.downloads
      url    = var.package.release_url
      names  = join(" ", [for name in local.function_names : "daybook-${var.package.architecture}-${name}.zip"])
    }
  }
}

# Said before anything is made, not by a function half-way.
resource "terraform_data" "zips" {
  input = local.zips

  lifecycle {
    precondition {
      condition     = var.package.release_url != null || alltrue([for zip in local.zips : fileexists(zip)])
      error_message = "There are no zips in ${local.folder}/${var.package.architecture}: run make package ARCH=${var.package.architecture}, or set package.release_url."
    }
  }
}
