# Everything here needs python3 (3.11 or newer), pip and make. `make` alone lists the targets.

PY ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
BENCH_ARGS ?=
CROSS_ARGS ?=

PIP_INSTALL := pip install --quiet --disable-pip-version-check --no-warn-script-location
SOURCES := $(shell find algotrendy -name '*.py')
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-pandas2 check format format-check lint types layers bench cross-check docs constraints clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1|/' | \
		while IFS='|' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done

# --- environments: made once, brought up to date when pyproject.toml or the pinned versions change ---

$(VENV)/.stamp: pyproject.toml constraints.txt
	$(PY) -m venv $(VENV)
	$(VENV)/bin/$(PIP_INSTALL) --constraint constraints.txt --editable '.[dev]'
	@touch $@

.venv-pandas2/.stamp: pyproject.toml constraints-pandas2.txt
	$(PY) -m venv .venv-pandas2
	.venv-pandas2/bin/$(PIP_INSTALL) --constraint constraints-pandas2.txt --editable '.[dev]'
	@touch $@

# The demo has what `pip install algotrendy` brings and nothing else: a wheel of this tree and the base dependencies.
.venv-demo/.stamp: pyproject.toml constraints.txt $(SOURCES)
	@echo "Installing the base environment ..."
	@$(PY) -m venv .venv-demo
	@.venv-demo/bin/$(PIP_INSTALL) --no-compile --constraint constraints.txt .
	@touch $@

# --- the two commands of the README ---

demo: .venv-demo/.stamp ## backtest, sweep and report a strategy on real index history, from nothing
	@.venv-demo/bin/algotrendy demo --out demo
	@echo "Base environment: $$(du -sm .venv-demo | cut -f1) MB in .venv-demo"

test: $(VENV)/.stamp ## run every test, from nothing
	$(VENV)/bin/python -m pytest $(PYTEST_ARGS)

# --- the gate ---

check: format-check lint types layers test docs ## the whole gate: format, lint, types, layers, tests, docs

test-long: $(VENV)/.stamp ## the property tests with many more examples
	ALGOTRENDY_HYPOTHESIS=long $(VENV)/bin/python -m pytest tests/property $(PYTEST_ARGS)

# What knows no frame (the layout, databases, the queue, a cluster) need not be run twice.
NO_FRAMES := tests/layout tests/contract/test_jobs.py tests/contract/test_jobs_processes.py \
	tests/contract/test_job_workers.py tests/contract/test_storage.py tests/contract/test_trial_ledger.py \
	tests/integration/test_database.py tests/integration/test_compute_ray.py tests/property/test_job_queue_model.py \
	tests/contract/test_reservations.py tests/contract/test_portfolio_storage.py tests/contract/test_risk_records.py \
	tests/unit/test_risk_limits.py

test-pandas2: .venv-pandas2/.stamp ## every test that meets a frame again on pandas 2, the property tests with fewer examples
	ALGOTRENDY_HYPOTHESIS=brief .venv-pandas2/bin/python -m pytest $(addprefix --ignore=,$(NO_FRAMES)) $(PYTEST_ARGS)

format: $(VENV)/.stamp ## rewrite the code in the one format
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

format-check: $(VENV)/.stamp
	$(VENV)/bin/ruff format --check .

lint: $(VENV)/.stamp ## look for mistakes
	$(VENV)/bin/ruff check .

types: $(VENV)/.stamp ## check the types, strictly
	$(VENV)/bin/mypy

layers: $(VENV)/.stamp ## check that imports go downwards only
	$(VENV)/bin/lint-imports

docs: $(VENV)/.stamp ## build the documentation into docs/_build/html
	$(VENV)/bin/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build/html
	@echo "Documentation: docs/_build/html/index.html"

# --- figures ---

bench: ## time algotrendy against its peers, each in an environment where it runs
	$(PY) benchmarks/run.py $(BENCH_ARGS)

cross-check: $(VENV)/.stamp ## compare figures with vectorbt, backtesting.py, bt, zipline, quantstats, each in its own environment
	$(VENV)/bin/python benchmarks/cross_check.py $(CROSS_ARGS)

# --- upkeep ---

constraints: ## pin the newest versions that work: run it, run the gate, commit both files
	rm -rf .venv-pin && $(PY) -m venv .venv-pin && .venv-pin/bin/$(PIP_INSTALL) '.[dev]'
	.venv-pin/bin/pip freeze --exclude algotrendy > constraints.txt
	.venv-pin/bin/$(PIP_INSTALL) '.[dev]' 'pandas<3' 'numpy<2.3'
	.venv-pin/bin/pip freeze --exclude algotrendy > constraints-pandas2.txt
	rm -rf .venv-pin

clean: ## remove everything that was built, the environments included
	rm -rf .venv .venv-pandas2 .venv-demo .venv-pin benchmarks/.venv benchmarks/out demo build dist docs/_build docs/reference/api
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
