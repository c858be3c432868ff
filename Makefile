# Everything a developer or a user does; `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help
help: ## List what can be done
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort \
	| awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.run: requirements.txt setup.py requirements.in
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.13 is needed; set PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what the program needs (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar on -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	@echo "Installing what the tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar on -r requirements-dev.txt
	@touch $@

.PHONY: install
install: $(VENV)/.run ## Install the program into .venv

.PHONY: dev
dev: $(VENV)/.dev ## Install the program and the developer's tools

.PHONY: run
run: install ## Run everything against the bundled market (ARGS="--seconds 120")
	@$(BIN)/crypto-bot up $(ARGS)

.PHONY: status
status: install ## Show processes, tables, decisions and trades once
	@$(BIN)/crypto-bot status $(ARGS)

.PHONY: test
test: dev ## Run the tests (ARGS="-k name")
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

SEEDS ?= 200
.PHONY: chaos
chaos: dev ## Fault suite: SEEDS=200 plans, or SEED=123 told in full
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(ARGS)

.PHONY: chaos-nightly
chaos-nightly: dev ## Fault suite over 5000 seeds (hours)
	@$(BIN)/python -m tests.chaos --seeds 5000 $(ARGS)

CASES ?= 1000000
.PHONY: fuzz
fuzz: dev ## Damaged replies and files: CASES=1000000, or CASE=123 shown in full
	@$(BIN)/python -m tests.fuzz $(if $(CASE),--case $(CASE),--cases $(CASES)) $(ARGS)

.PHONY: soak
soak: dev ## Every process through a simulated day: memory and open files
	@$(BIN)/python -m tests.soak $(ARGS)

.PHONY: lint lint-style lint-types lint-contracts
lint: ## black, flake8, mypy, import contracts, generated documents
	@$(MAKE) --no-print-directory --jobs=2 --output-sync \
		lint-types lint-style lint-contracts

lint-style: dev
	@$(BIN)/black --check --quiet . || { $(BIN)/black --check .; exit 1; }
	@$(BIN)/flake8

lint-types: dev
	@$(BIN)/mypy

lint-contracts: dev
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/generate_docs.py --check

.PHONY: format
format: dev ## Format the code with black
	@$(BIN)/black .

.PHONY: docs
docs: dev ## Generate docs/ and config.yaml.example from the code
	@$(BIN)/python scripts/generate_docs.py

.PHONY: bench
bench: dev ## Measure storing, reading, scanning and indicators beside their least
	@$(BIN)/python -m benchmarks.ingest
	@$(BIN)/python -m benchmarks.steady
	@$(BIN)/python -m benchmarks.scan
	@$(BIN)/python -m benchmarks.indicators
	@$(BIN)/python -m benchmarks.last_bar
	@$(BIN)/python -m benchmarks.backfill
	@$(BIN)/python -m benchmarks.snapshots

.PHONY: lock
lock: dev ## Resolve requirements*.in into the pinned files
	@$(BIN)/pip-compile -q --strip-extras --no-header --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host -o requirements.txt requirements.in
	@$(BIN)/pip-compile -q --strip-extras --no-header --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --allow-unsafe \
		-o requirements-dev.txt requirements-dev.in

.PHONY: clean
clean: ## Remove the environment and caches; market data in .data stays
	@rm -rf $(VENV) .pytest_cache .mypy_cache .hypothesis build *.egg-info
