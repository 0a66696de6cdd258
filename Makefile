# Everything one can do here: make help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
TORCH_VENV := .venv-torch
TORCH ?= torch==2.13.0
PYTEST := $(BIN)/python -m pytest
WORKERS ?= 2
SPREAD := -n $(WORKERS) --dist loadfile
EXAMPLES ?= 60
SEED ?= 1
QUICK := not torch and not browser and not slow
STORED := tests/store tests/engine tests/api tests/http tests/contract

.DEFAULT_GOAL := help
.PHONY: help setup demo check format test test-pg test-slow test-torch test-browser fuzz conformance recovery recovery-long bench bench-search contract docs up build ci clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' | column -t -s '|'

setup: $(STAMP) ## make .venv with undeterred, det and everything that development needs

$(STAMP): pyproject.toml
	@scripts/setup.sh $(PYTHON) $(VENV) '.[tasks,dev,browser,postgres,storage,optuna]'
	@touch $(STAMP)

demo: $(STAMP) ## start the server, train the example model with det, show its metrics; Ctrl-C ends it
	@$(BIN)/python scripts/demo.py

up: $(STAMP) ## start the server on the usual data folder
	@$(BIN)/undeterred up

check: $(STAMP) ## format, lint, types, import rules, file sizes, generated files
	$(BIN)/ruff format --check src tests contract bench scripts examples
	$(BIN)/ruff check src tests contract bench scripts examples
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_sizes.py
	$(BIN)/python contract/generate.py --check
	$(BIN)/python contract/openapi.py --check
	$(BIN)/python scripts/compatibility.py --check

format: $(STAMP) ## bring the code into the common form
	$(BIN)/ruff format src tests contract bench scripts examples
	$(BIN)/ruff check --fix src tests contract bench scripts examples

test: $(STAMP) check ## the checks and the tests that need no PyTorch or browser, on SQLite; kills at random are `make recovery`
	@$(PYTEST) -m "$(QUICK)" tests/e2e > .e2e.log 2>&1 & e2e=$$!; trap "kill $$e2e 2>/dev/null" INT TERM; \
	$(PYTEST) $(SPREAD) -m "$(QUICK)" --ignore tests/recovery --ignore tests/e2e tests; rest=$$?; \
	wait $$e2e; ends=$$?; echo "== tests/e2e, which wait more than they work and ran beside the others:"; cat .e2e.log; rm -f .e2e.log; \
	exit $$((rest || ends))

test-pg: $(STAMP) ## the suites of what is stored on a PostgreSQL of their own (Debian's package)
	TEST_DATABASE=postgres $(PYTEST) $(SPREAD) -m "not torch and not browser" $(STORED)

test-slow: $(STAMP) ## tests that take minutes: a server that is away for longer than any usual retry (OUTAGE_SECONDS=720)
	$(PYTEST) -m "slow and not torch and not browser" --timeout 3600 tests

test-torch: $(STAMP) ## PyTorch trials with the real harness (its own environment)
	@scripts/setup.sh $(PYTHON) $(TORCH_VENV) '.[tasks,dev]' '$(TORCH)'
	$(TORCH_VENV)/bin/python -m pytest -m torch tests

test-browser: $(STAMP) ## the playground in a real Chromium
	$(PYTEST) -m browser tests

fuzz: $(STAMP) ## send every operation what its description allows and what not: make fuzz EXAMPLES=60 SEED=1
	@$(BIN)/python scripts/fuzz.py --examples $(EXAMPLES) --seed $(SEED)

conformance: $(STAMP) ## play the recorded conversations against fresh servers, on SQLite and on PostgreSQL
	@$(BIN)/python scripts/conformance.py --db sqlite --db postgres

recovery: $(STAMP) ## kill the real processes 20 times and compare what is stored with what was reported
	RECOVERY_KILLS=20 $(PYTEST) -m "not slow" tests/recovery

recovery-long: $(STAMP) ## the same a thousand times
	RECOVERY_KILLS=1000 $(PYTEST) -rP -m "not slow" --timeout 36000 tests/recovery

bench: $(STAMP) ## load a running server; writes bench/RESULTS.md
	@$(BIN)/python bench/run.py

bench-search: $(STAMP) ## what searches cost and save; writes bench/SEARCH.md
	@$(BIN)/python bench/search.py

contract: $(STAMP) ## regenerate messages, operations, the OpenAPI document and the compatibility table
	$(BIN)/python contract/generate.py
	$(BIN)/python contract/openapi.py
	$(BIN)/python scripts/compatibility.py

build: $(STAMP) ## a wheel in dist/
	$(BIN)/uv build --wheel

ci: ## what the continuous integration runs
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory recovery
	@$(MAKE) --no-print-directory test-pg
	@$(MAKE) --no-print-directory conformance
	@$(MAKE) --no-print-directory test-torch
	@$(MAKE) --no-print-directory test-browser

clean: ## remove environments and caches, not data
	rm -rf $(VENV) $(TORCH_VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info
