# Dayseye: two commands set everything up by themselves: `make demo` and `make test`.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/uv/bin/uv
READY := $(VENV)/.ready
STRUCTURE_READY := $(VENV)/.structure-ready
BENCH := .bench-venv
BENCH_READY := $(BENCH)/.ready
BROWSER := .browser-venv
BROWSER_READY := $(BROWSER)/.ready
export DAYSEYE_DATA ?= $(abspath ../shared/data)
# One thread for the libraries' own pools: parallel work is Dask's, and tests share two cores.
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup structure demo up test lint unit system chaos chaos-long validate browser benchmark format lock clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Set up .venv from the lock file (every other target does so by itself)

$(UV): requirements-bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Dayseye needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
	         "Name another one: make PYTHON=python3.12 demo"; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)/uv
	@$(VENV)/uv/bin/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes -r requirements-bootstrap.lock
	@touch $@

$(READY): $(UV) requirements.lock pyproject.toml
	@echo "Setting up $(VENV) ..."
	@test -x $(BIN)/python || $(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	@$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

$(STRUCTURE_READY): $(READY) requirements-mx-structure.lock requirements-monomers.lock
	@echo "Adding what structures need ..."
	@$(UV) pip install --quiet --require-hashes --python $(BIN)/python \
	  -r requirements-mx-structure.lock -r requirements-monomers.lock
	@touch $@

structure: $(STRUCTURE_READY) ## Add what solving structures needs: servalcat, cctbx, a monomer library

demo: $(READY) ## Start everything, let a simulated beamline drop scans, watch them reduce (ARGS=--exit ends)
	@$(BIN)/dayseye demo $(ARGS)

up: $(READY) ## Start the platform with dayseye.toml
	@$(BIN)/dayseye up $(ARGS)

test: lint unit system ## Lint, unit tests and system tests on the real services

lint: $(READY) ## ruff, pyright and the layers between packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports --no-logo

# Two at a time: most of a system test is waiting for a platform of its own process.
unit: $(READY)
	@$(BIN)/pytest tests/unit -n 2 --dist worksteal $(ARGS)

system: $(READY)
	@$(BIN)/pytest tests/system -n 2 --dist loadfile $(ARGS)

chaos: $(READY) ## Everything breaks while scans arrive (ARGS="--seed N" repeats a schedule)
	@$(BIN)/pytest tests/chaos --timeout=2400 -s $(ARGS)

chaos-long: $(READY) ## The same with 10,000 small files
	@$(BIN)/pytest tests/chaos/test_long.py --arrivals=10000 --timeout=4800 -s $(ARGS)

validate: $(READY) ## The science against truth (simulated) and against published references (real data)
	@$(BIN)/pytest tests/validate -n 2 --dist loadfile --timeout=900 $(ARGS)

$(BROWSER_READY): $(READY) tests/browser/requirements.lock
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python $(BROWSER)
	@$(UV) pip sync --quiet --require-hashes --python $(BROWSER)/bin/python tests/browser/requirements.lock
	@touch $@

browser: $(BROWSER_READY) ## The Prefect UI and our own pages in headless Chromium
	@sh tests/browser/chromium.sh
	@$(BROWSER)/bin/python -m pytest tests/browser --timeout=600 $(ARGS)

$(BENCH_READY): $(READY) tests/benchmarks/requirements.lock
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python $(BENCH)
	@$(UV) pip sync --quiet --require-hashes --python $(BENCH)/bin/python tests/benchmarks/requirements.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BENCH)/bin/python --editable .
	@touch $@

benchmark: $(BENCH_READY) ## Ratios against peers, which live in an environment of their own
	@$(BENCH)/bin/python -m tests.benchmarks $(ARGS)

format: $(READY) ## Format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

lock: $(UV) ## Resolve the lock files again (no addresses inside)
	@sh .ci/lock $(UV)

clean: ## Remove environments and build products, never a state folder
	@rm -rf $(VENV) $(BENCH) $(BROWSER) build dist .pytest_cache .ruff_cache
