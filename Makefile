# Everything that people and machines do here. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

CARGO ?= cargo
PYTHON ?= python3
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/daybook
# The folder that `make local` keeps.
DATA ?= daybook-data
# What the Lambda functions are built for: arm64 or x86_64.
ARCH ?= $(patsubst aarch64,arm64,$(shell uname -m))
# Everything, the AWS side included.
AWS := --workspace --features daybook/aws,ingest/aws,compactor/aws,query/aws
FOREIGN := compactor/tests/foreign
OPENAPI := ingest/tests/openapi
# What is deployed, and how it is told.
STACK ?= terraform/examples/minimal
TERRAFORM = terraform -chdir="$(STACK)"
TERRAFORM_VARS = $(if $(REGION),-var region=$(REGION)) $(if $(PREFIX),-var name_prefix=$(PREFIX)) $(if $(FRONTEND),-var frontend=$(FRONTEND)) \
  $(if $(RELEASE),-var release_url=$(RELEASE)) -var architecture=$(ARCH)
# The test that leaves a lake behind, made by compactions that were killed.
KILLS := --exact kills::compactions_killed_at_any_moment_make_the_table_of_one_that_was_not
# A virtual environment for each set of versions.
VENV = $(CACHE)/foreign-$(firstword $(shell cksum < $(FOREIGN)/requirements.txt))
OPENAPI_VENV = $(CACHE)/openapi-$(firstword $(shell cksum < $(OPENAPI)/requirements.txt))

# What holds the SQL to its style, and where it is kept.
SQLFLUFF := 4.5.0
SQL_LINTER := $(CACHE)/sqlfluff-$(SQLFLUFF)

##@ Run
.PHONY: build demo local
build: ## build the release binary; it is left at bin/daybook, stripped
	@$(CARGO) build --locked --release --package daybook
	@install -D -s -m 755 "$(TARGET)/release/daybook" bin/daybook
	@echo "bin/daybook: $$(bin/daybook --version), $$(du -h bin/daybook | cut -f1)"

demo: ## see the whole of it in a minute, on a folder of its own
	@$(CARGO) build --locked --package daybook
	@"$(TARGET)/debug/daybook" demo

local: ## serve at http://127.0.0.1:3000 on ./daybook-data (DATA=… for another folder)
	@$(CARGO) build --locked --package daybook
	@exec "$(TARGET)/debug/daybook" serve --listen 127.0.0.1:3000 --data "$(DATA)"

##@ Deploy
.PHONY: package plan deploy redeploy destroy
package: ## build the Lambda functions' zips into dist/ (ARCH=arm64 or x86_64; needs rustup, python3 and PyPI, once)
	@package/build "$(ARCH)"

plan: terraform-init ## what make deploy would change
	@$(TERRAFORM) plan $(TERRAFORM_VARS)

deploy: terraform-init ## make or change the installation (REGION=… PREFIX=… RELEASE=… FRONTEND=http STATE=bucket YES=1; STACK=folder)
	@$(TERRAFORM) apply $(TERRAFORM_VARS) $(if $(YES),-auto-approve)

redeploy: package deploy ## the functions as they are here now: package, then deploy

destroy: terraform-init ## remove the installation (FORCE=1: the log, too)
	@[ -z "$(FORCE)" ] || $(TERRAFORM) apply $(TERRAFORM_VARS) -var force_destroy=true -target=module.daybook.aws_s3_bucket.this $(if $(YES),-auto-approve)
	@$(TERRAFORM) destroy $(TERRAFORM_VARS) $(if $(FORCE),-var force_destroy=true) $(if $(YES),-auto-approve)

# A state for each installation: another prefix or region is another one, not the same one moved.
terraform-init:
	@rm -f "$(STACK)/backend_override.tf"
	@[ -z "$(STATE)" ] || printf "terraform {\n  backend \"s3\" {}\n}\n" > "$(STACK)/backend_override.tf"
	@$(TERRAFORM) init -input=false $(if $(STATE),-backend-config=bucket=$(STATE) -backend-config=key=daybook.tfstate \
	  -backend-config=encrypt=true -backend-config=use_lockfile=true $(if $(REGION),-backend-config=region=$(REGION))) > /dev/null
	@$(TERRAFORM) workspace select -or-create $(if $(PREFIX)$(REGION),$(or $(PREFIX),daybook)-$(or $(REGION),home),default)

##@ Check
.PHONY: test test-failure test-aws test-trino test-webhooks test-foreign test-openapi test-terraform foreign-readers openapi-tools sql-linter golden-queries lint lint-aws lint-sql format doc
test: ## all tests that need nothing but Rust and a C compiler
	@$(CARGO) test --locked --no-fail-fast

# How often each of them happens.
CYCLES ?= 500
test-failure: ## kills, power cuts, failing system calls, flipped bits, simulated runs: CYCLES=500 of each, seeds × 20 (root, loop devices, strace)
	@$(CARGO) test --locked --package ingest --package daybook --test suite --no-run
	@DAYBOOK_TEST_SEEDS=$$(($(CYCLES) * 20)) $(CARGO) test --locked --package ingest --package daybook --test suite -- --nocapture simulation::
	@for test in crash:: power:: faults:: damage::a_bit; do \
	  DAYBOOK_TEST_CYCLES=$(CYCLES) $(CARGO) test --locked --package ingest --package daybook --test suite -- --nocapture "$$test" || exit; done

test-aws: foreign-readers ## the AWS side against stand-ins (needs java 17, mvn and python3; downloads once)
	@$(CARGO) build --locked $(AWS) --bins
	@DAYBOOK_FOREIGN_PYTHON="$(VENV)/bin/python" rig/emulators/with \
	  $(CARGO) test --locked $(AWS) --no-fail-fast --lib --bins $(foreach test,$(filter-out trino,$(notdir $(wildcard rig/tests/*))),--test $(test))

test-trino: ## the named queries on a real Trino and behind Athena's API, beside DataFusion (needs java and javac 17, mvn and python3; downloads once)
	@$(CARGO) test --locked $(AWS) --test trino --no-run
	@rig/emulators/with-trino $(CARGO) test --locked $(AWS) --test trino -- --nocapture

test-webhooks: ## real webhook bodies, posted while the server is killed five times (needs npm, once)
	@$(CARGO) test --locked --package daybook --test suite -- --ignored octokit --nocapture

test-foreign: foreign-readers ## tables of Daybook's, made under kills and after upkeep, too, read by pyiceberg, DuckDB and Polars (needs python3 and PyPI, once)
	@$(CARGO) build --locked --package daybook
	@$(CARGO) build --locked --package compactor --example upkeep
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	"$(TARGET)/debug/examples/upkeep" make "$$folder/small" 40 100; \
	"$(TARGET)/debug/examples/upkeep" keep "$$folder/small" 12; \
	"$(VENV)/bin/python" $(FOREIGN)/read.py "$$folder/small"; \
	DAYBOOK_TEST_FOLDER="$$folder/killed" $(CARGO) test --locked --package daybook --test suite -- $(KILLS) --nocapture; \
	"$(VENV)/bin/python" $(FOREIGN)/read.py "$$folder/killed"; \
	"$(TARGET)/debug/daybook" demo --folder "$$folder/data" > "$$folder/demo.log" || { cat "$$folder/demo.log"; exit 1; }; \
	"$(VENV)/bin/python" $(FOREIGN)/read.py "$$folder/data"

# Requests that the API is asked at least.
CASES ?= 20000
test-openapi: openapi-tools ## the API asked by its own document: schemathesis (CASES=20000), and a client generated from it (needs python3 and PyPI, once)
	@$(CARGO) build --locked --package daybook
	@$(OPENAPI)/run "$(abspath $(TARGET))/debug/daybook" "$(OPENAPI_VENV)" "$(CASES)"

test-terraform: ## the Terraform without an account: validate, test, policies on the plan, checkov (TERRAFORM_OFFLINE=program stands in for terraform)
	@terraform/tests/run

foreign-readers: $(VENV)/ready

openapi-tools: $(OPENAPI_VENV)/ready

sql-linter: $(SQL_LINTER)/ready

$(VENV)/ready: $(FOREIGN)/requirements.txt
$(OPENAPI_VENV)/ready: $(OPENAPI)/requirements.txt
# `ready` is made last: a broken download leaves nothing that looks whole.
$(VENV)/ready $(OPENAPI_VENV)/ready:
	@rm -rf "$(@D)"
	@$(PYTHON) -m venv "$(@D)"
	@"$(@D)/bin/pip" install --quiet --disable-pip-version-check --requirement $<
	@touch "$@"

golden-queries: ## write the golden answers of the named queries anew, by plain loops in Python (needs python3)
	@query/tests/golden/make.py

lint: ## formatting, clippy, documentation; licences and sources if cargo-deny is installed
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --locked --all-targets -- -D warnings
	@$(MAKE) lint-aws doc
	@if $(CARGO) deny --version > /dev/null 2>&1; \
	then $(CARGO) fetch --locked --quiet && $(CARGO) deny --offline check --hide-inclusion-graph bans licenses sources; \
	else echo "NOT CHECKED: licences, bans and sources, since cargo-deny is not installed (cargo install --locked cargo-deny)" >&2; \
	fi

lint-aws: ## clippy for everything the feature `aws` adds, and for each Lambda function as it is built
	@$(CARGO) clippy --locked $(AWS) --all-targets -- -D warnings
	@for crate in ingest compactor query; do \
	  $(CARGO) clippy --locked --package $$crate --no-default-features --features aws -- -D warnings || exit; done

lint-sql: $(SQL_LINTER)/ready ## the named queries: sqlfluff, and golden answers that are up to date (needs python3 and PyPI, once)
	@"$(SQL_LINTER)/bin/sqlfluff" lint --disable-progress-bar athena/queries
	@query/tests/golden/make.py check

$(SQL_LINTER)/ready:
	@rm -rf "$(SQL_LINTER)"
	@$(PYTHON) -m venv "$(SQL_LINTER)"
	@"$(SQL_LINTER)/bin/pip" install --quiet --disable-pip-version-check "sqlfluff==$(SQLFLUFF)"
	@touch "$@"

format: ## format the code in place
	@$(CARGO) fmt --all

doc: ## the documentation of the crates, to target/doc
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked $(AWS) --no-deps

##@ Measure
.PHONY: bench bench-ingest bench-import bench-compaction bench-verify bench-queries load-test
bench: bench-ingest bench-compaction bench-queries ## all but the import's benchmark; they build in release

bench-ingest: ## the write path relative to a store that keeps nothing and to a handler in Python; beside 10,000 idle and slow connections; routes beside each other (needs wrk and python3)
	@bench/ingest
	@bench/crowd
	@bench/routes

bench-import: ## daybook import of an access log, relative to goaccess (needs goaccess and python3; LOG=… for a log of your own)
	@bench/import

bench-compaction: ## the compaction, beside chDB, DuckDB and Polars too (PARTS="peers scale …", EVENTS=1000000, ROUNDS=5; needs python3 and PyPI, once)
	@bench/compaction/run $(PARTS)

bench-verify: ## verify and replay of a log: events per second and core, peak memory (EVENTS="1000000 4000000", ROUNDS=5; needs python3)
	@bench/verify

load-test: ## mixed traffic at any base URL, against the baseline (URL=http://127.0.0.1:3000 KEY=… RATE=50 SECONDS=30; needs python3)
	@$(PYTHON) bench/load --url "$(or $(URL),http://127.0.0.1:3000)" $(if $(KEY),--key "$(KEY)") $(if $(RATE),--rate $(RATE)) $(if $(SECONDS),--seconds $(SECONDS))

bench-queries: ## the named queries: bytes read of a day among thirty; beside DuckDB on the same files (PARTS="bytes peer", ROUNDS=5; needs python3 and PyPI, once)
	@bench/queries/run $(PARTS)

##@ Help
.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
